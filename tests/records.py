"""Records of images that are on no disk."""

from kerasad.data import ImageRecord


def make_records(count, copies=1):
    """`count` different images, each under `copies` names."""
    return [
        ImageRecord(
            path=f"/data/{number:03d}_{copy}.png",
            relative_path=f"{number:03d}_{copy}.png",
            label=0,
            defect="good",
            mask_paths=(),
            height=8,
            width=8,
            content_hash=f"hash of {number}",
            decoder="graph",
        )
        for number in range(count)
        for copy in range(copies)
    ]
