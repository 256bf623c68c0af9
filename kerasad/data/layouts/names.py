"""What the name of a folder says: good, defective, masks, results, a part of a split, or nothing.

A name says something for certain if all of it is one word of the lexicon; numbers do not count. One
word of a longer name (`ok_ring`) is a hint: the part may be called so.
"""

import enum
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


class Role(enum.Enum):
    """What the images of a folder are, as its name says."""

    GOOD = "good images"
    BAD = "defective images"
    KIND = "a kind of defect"
    MASKS = "masks"
    REGIONS = "regions of interest"
    RESULTS = "earlier results"
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    UNSORTED = "images that nobody has sorted"
    COPIES = "small copies of images"
    NEUTRAL = "nothing of quality"


SPLITS = {Role.TRAIN: "train", Role.VALIDATION: "validation", Role.TEST: "test"}
"""The part of a split, as `FoundImage` names it."""

# A word in one line stands for itself; `*` adds its English plural.
_WORDS = {
    Role.GOOD: """
        good* ok* okay pass passes passed perfect acceptable qualified brauchbar sauber heil
        ohnebefund 好的 хорошо normal nominal negative negatives negativ io inordnung accept
        accepted conforming conform conforme conformes conformi healthy flawless intact faultless
        notbad goodpart goodparts okpart okparts gut gute gutteil gutteile fehlerfrei ohnefehler
        keinefehler bon bons bonne bonnes sansdefaut bueno clean correct unbroken einwandfrei
        fehlerlos makellos golden gutmuster inlier* goed goede goedgekeurd godkand godkanda
        freigegeben gutbild gutbilder dobre dobry dobra spravne iyi saglam hatasiz kusursuz годные
        годный годен исправные исправный хорошие buenos buena buenas sindefecto sindefectos aprobado
        aprobados buono buoni buona buone senzadifetti bom bons boa boas 良品 合格 合格品 正常
        正常品 好 好品 ok品 无缺陷 無缺陷 양품 정상 합격
    """,
    Role.BAD: """
        bad* nok* ngs fails imperfect unacceptable unqualified unbrauchbar verschmutzt kaputt
        mitbefund wrong rotten 坏的 плохо
        notok nonok nonio notio ng nogood notgood ko fail failed failure* defect*
        defective* def anomaly anomalies anomalie* anomalous anomal abnormal anormal abnormality
        abnormalities positive* positiv nio nichtinordnung reject* rejected faulty fault* broken
        damaged damage* scrap flaw* flawed nonconforming nonconform nonconformity notnormal
        unhealthy badpart* defectivepart* schlecht schlechte schlechtteil schlechtteile ausschuss
        fehler fehlerhaft fehlteil fehlteile fehlerbild fehlerbilder schlechtbild schlechtbilder
        gesperrt defekt defekte mangel maengel anomalien nichtok mauvais mauvaise
        mauvaises defaut* defected incorrect outlier* zuruckgewiesen zurueckgewiesen slecht slechte
        fout fouten afgekeurd underkand underkanda felaktig felaktiga dalig daliga złe zły zle
        wadliwe wadliwy uszkodzone vadne vadny spatne kotu hatali kusurlu bozuk брак бракованные
        негодные негодный дефект дефекты дефектные плохие defectueux defectueuse nonconforme
        nonconformes rebut* malo malos mala malas defecto* defectuoso defectuosos rechazado
        rechazados noconforme scarto scarti difetto difetti difettoso difettosi nonconformi ruim
        ruins defeito* rejeitado 不良 不良品 不合格 不合格品 次品 废品 廢品 缺陷 有缺陷 异常 異常
        異常品 坏 坏品 瑕疵 欠陥 欠陥品 ng品 불량 불량품 비정상
    """,
    Role.KIND: """
        scratch scratches scratched crack* cracked dent* dented hole* stain* stained chipped burr*
        rust rusty corrosion contamination contaminated blowhole* blister* pitting porosity
        wrinkle* misaligned discoloration discolouration smudge* tear* torn bent dirty fray frayed
        kratzer riss risse delle dellen loch loecher locher fleck flecken beule beulen grat grate
        rost rayure* fissure* trou* tache* bosse* rasguno* grieta* agujero* mancha* abolladura*
        graffio graffi crepa crepe foro fori macchia macchie ammaccatura ammaccature 划痕 划伤 刮痕
        裂纹 裂痕 凹痕 污渍 破损 孔洞 劃痕 刮傷 裂紋 傷 キズ きず ひび ひび割れ 割れ 打痕 汚れ 欠け
        穴 へこみ 스크래치 크랙
    """,
    Role.MASKS: """
        ann anns mask* groundtruth* gt label* annotation* annot segmentation* seg truth segmask*
        defectmask* maske masken masque* mascara* maschera maschere 掩码 掩膜 標註 标注 标签 真值
        マスク 正解 마스크 msk* bw binary
    """,
    Role.REGIONS: "roi* foreground*",
    Role.RESULTS: """
        overlay* prediction* result* heatmap* output* ergebnis ergebnisse resultat* resultado*
        risultato risultati vorhersage vorhersagen 结果 結果 预测 予測
    """,
    Role.TRAIN: """
        train training trainset traindata trainingset trainingdata trainingsset trainingsdaten
        trainingsbilder entrainement entrenamiento addestramento treino 训练 訓練
        训练集 訓練集 学習 학습
    """,
    Role.VALIDATION: """
        val valid validation validate validierung validierungsdaten
        validierungsbilder validacion validazione validacao dev 验证 驗證
        验证集 検証 검증
    """,
    Role.TEST: """
        test tests testing testset testdata testdaten testbilder prueba pruebas
        prova prove teste testes 测试 測試 测试集 テスト 테스트
    """,
    Role.UNSORTED: """
        unlabelled unlabeled unsorted unknown unclassified uncategorized uncategorised unchecked
        mixed todo review maybe borderline unsure unclear uncertain suspect* suspicious doubtful
        ambiguous annotated marked markiert* eingezeichnet rework retest* recheck* pending tbd check
        tocheck inspected warn warning* grenzfall grenzfalle grenzfaelle nacharbeit nachprufung
        nachpruefung prufen pruefen verdacht verdachtig zweifelhaft unklar unsortiert unbekannt
        gemischt nontrie inconnu sinclasificar 未标注 未標註 未分类 未分類 未知
    """,
    Role.COPIES: "thumb* thumbnail* vorschaubild vorschaubilder miniature* miniatura*",
    Role.NEUTRAL: """
        raw all image* img imgs pic* picture* photo* data dataset* backup* bak old new tmp temp misc
        other* original* orig archive* copy copies export* source* src input* frame* sample* various
        bild bilder foto* alle alt neu immagine immagini imagen imagenes toutes tout neuer ordner
        folder* doc docs document* documentation doku dokumentation screenshot* aug augmented
        augmentation* crop* cropped resized runs report* bericht* protokoll* auswertung* evaluation*
        visualization* visualisation* vis preview* vorschau plot* figure* debug reference* referenz*
        referenzbild referenzbilder calibration* kalibrierung* synthetic 图片 图像 圖片 圖像 画像
        写真 原图 全部 旧 新 备份
    """,
}


# Of several words, the one that counts.
_FIRST = (Role.MASKS, Role.REGIONS, Role.RESULTS, Role.BAD, Role.KIND, Role.GOOD, Role.UNSORTED)
# Names of two classes that leave open which one is good; "pos" may be a position.
_OPPOSITES = (("0", "1"), ("true", "false"), ("yes", "no"), ("a", "b"), ("pos", "neg"), ("y", "n"))
_OPPOSITES += (("g", "b"), ("p", "f"), ("t", "f"), ("p", "n"), ("id", "ood"))
_OPPOSITES += (("benign", "malignant"), ("serie", "rucklaufer"), ("serie", "reklamation"))
# "regular" beside "irregular": not known, but opposites.
_DENYING = ("un", "in", "im", "ir", "il", "dis", "non", "not", "no", "不", "无", "非")
# "goodbottle" beside "badbottle": no word of the lexicon, but a hint.
_BEGINNINGS = {"good": Role.GOOD, "bad": Role.BAD, "nok": Role.BAD, "defect": Role.BAD}
_NO_BEGINNINGS = ("goodwill", "badge", "badger", "badminton")
_CLASS = frozenset(("class", "klasse", "classe", "clase", "label", "category", "target"))
_GRADES = frozenset(("grade", "ware", "wahl", "choice", "qualitat", "quality"))
_FIRST_OF_CJK = "\u2e80"
_CJK = rf"[{_FIRST_OF_CJK}-\uffef]"
_INITIALS = re.compile(r"(?<![^\W_])(n\.\s?)?i\.\s?o(?![^\W_])\.?", re.IGNORECASE)

# "nondefective" and "defect-free" are words as well.
_DENIALS = ("no{}", "non{}", "not{}", "un{}", "without{}", "zero{}", "{}free", "{}less")
_MIN_DENIED = 4
_NEGATIONS = frozenset(
    (
        "no",
        "non",
        "not",
        "un",
        "without",
        "wo",
        "zero",
        "free",
        "less",
        "nicht",
        "kein",
        "keine",
        "ohne",
        "sans",
        "pas",
    )
    + ("sin", "senza", "sem")
)


@dataclass(frozen=True)
class Meaning:
    """What a name says.

    Args:
        role: Role or None. None if no word of it is known.
        certain: bool. Whether all of the name says so, and not one word of several.
    """

    role: Role | None
    certain: bool = False

    def surely(self, *roles: Role) -> bool:
        """Returns whether the name says one of these for certain."""
        return self.certain and self.role in roles


def read_name(name: str, ignored: Iterable[str] = ()) -> Meaning:
    """Returns what the name of a folder says.

    Args:
        name: The name.
        ignored: Words of it that do not count, since all folders beside it have them too.
    """
    words = [word for word in name_words(name) if word not in set(ignored)]
    if not words:
        return Meaning(Role.NEUTRAL)
    whole = _ROLES.get("".join(words))
    if whole is not None:
        return Meaning(whole, certain=True)
    hints = {role for word in words if (role := _hint(word)) is not None}
    says_bad = bool(hints & {Role.BAD, Role.KIND})
    # "ok and nok", "no crack", "not good enough": one word does not tell which.
    if (says_bad and Role.GOOD in hints) or (hints and _NEGATIONS.intersection(words)):
        return Meaning(Role.UNSORTED)
    for role in _FIRST:
        if role in hints:
            return Meaning(role)
    return Meaning(next(iter(hints), None))


def read_names(folders: Sequence[Path]) -> dict[Path, Meaning]:
    """Returns what the names of folders beside each other say."""
    plain = {path: read_name(path.name) for path in folders}
    ignored = common_words([path.name for path in folders])
    # "ok_front" beside "def_front": the words that they share tell them not apart.
    without = {path: read_name(path.name, ignored) for path in folders}
    all_certain = all(meaning.certain for meaning in without.values())
    return without if all_certain else plain


def opposite_names(names: Sequence[str]) -> bool:
    """Returns whether two names tell two classes, or several tell grades, but not what is good."""
    words = [re.findall(r"[^\W\d_]+|\d+", fold(name)) for name in names]
    if len(words) > 1 and all(_GRADES.intersection(parts) for parts in words):
        return True
    pair = {"".join(word for word in parts if word not in _CLASS) for parts in words}
    if len(words) != 2 or len(pair) != 2:
        return False
    short, long = sorted(pair, key=len)
    if short and any(long == denial + short for denial in _DENYING):
        return True
    return any(pair == set(opposites) for opposites in _OPPOSITES)


def common_words(names: Sequence[str]) -> set[str]:
    """Returns the words that all of several names have and that say nothing of quality."""
    words = [set(name_words(name)) for name in names]
    common = set.intersection(*words) - _NEGATIONS if len(words) > 1 else set()
    return {word for word in common if _hint(word) in (None, Role.NEUTRAL)}


def name_words(name: str) -> list[str]:
    """Returns the words of a name, without case, accents and numbers."""
    name = unicodedata.normalize("NFC", name)
    # "OkRing" and "OK画像" are two words, "NOK" is one.
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", join_initials(name))
    name = re.sub(rf"(?<=[a-zA-Z])(?={_CJK})|(?<={_CJK})(?=[a-zA-Z])", " ", name)
    return re.findall(r"[^\W\d_]+", fold(name))


def join_initials(name: str) -> str:
    """Returns a name in which "i.O." and "n.i.O." (German: not in order) are one word each."""
    return _INITIALS.sub(lambda match: "nio" if match[1] else "io", name)


def fold(name: str) -> str:
    """Returns a name without case, accents and forms of width, to compare names."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("\u0131", "i"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _hint(word: str) -> Role | None:
    if word in _ROLES:
        return _ROLES[word]
    if max(word) < _FIRST_OF_CJK:
        for beginning, role in _BEGINNINGS.items():
            if word.startswith(beginning) and not word.startswith(_NO_BEGINNINGS):
                return role
        return None
    # Chinese and Japanese have no spaces; the longest word counts, since 不良品 ends in 良品.
    inside = [known for known in _ROLES if len(known) > 1 and not known.isascii() and known in word]
    return _ROLES[max(inside, key=len)] if inside else None


def _spread() -> dict[str, Role]:
    roles = {}
    for role, text in _WORDS.items():
        for word in text.split():
            roles[fold(word.rstrip("*"))] = role
            if word.endswith("*"):
                roles[fold(word[:-1] + "s")] = role
    # Without a crack, there may be a dent.
    opposites = {Role.BAD: Role.GOOD, Role.KIND: Role.UNSORTED}
    denied = {
        denial.format(word): opposites[role]
        for word, role in roles.items()
        if role in opposites and len(word) >= _MIN_DENIED and word.isascii()
        for denial in _DENIALS
    }
    return denied | roles


_ROLES = _spread()
