import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from kerasad.inspector.guard import Guard, new_secret

OWN = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def client():
    app = Guard(PlainTextResponse("inside"), "a-secret", "default-src 'none'")
    return TestClient(app, base_url=OWN)


def test_the_own_page_is_answered(client):
    assert client.get("/a-secret/").text == "inside"
    assert client.post("/a-secret/x", headers={"origin": OWN}).text == "inside"
    # Forwarded to another port, as by ssh.
    assert client.get("/a-secret/", headers={"host": "localhost:9"}).text == "inside"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1", "0.0.0.0"]
)
def test_a_foreign_name_for_this_machine_is_refused(client, host):
    answer = client.get("/a-secret/", headers={"host": host})
    assert (answer.status_code, "inside" in answer.text) == (421, False)


@pytest.mark.parametrize("path", ["/", "/a-secret", "/a-secre/", "/state", "/%61-secret/../", "//"])
def test_without_the_secret_nothing_is_there(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "null"},
        {"origin": OWN, "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_the_page_of_another_site_changes_nothing(client, headers):
    assert client.post("/a-secret/x", headers=headers).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client, method):
    assert client.request(method, "/a-secret/").status_code == 405


def test_every_answer_forbids_what_the_page_does_not_need(client):
    for path in ("/a-secret/", "/wrong"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == "default-src 'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_secrets_differ_and_are_long():
    assert new_secret() != new_secret()
    assert len(new_secret()) >= 32
