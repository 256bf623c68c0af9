"""Names of folders beside each other: one series of photos, or perhaps classes."""

import re
from collections.abc import Sequence

from kerasad.data.layouts.names import fold, name_words

# What photos of one kind are sorted by: when, where, by which device, from which side.
_SERIES = """
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun montag
    dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi vendredi samedi
    dimanche lunes martes miercoles jueves viernes sabado domingo lunedi martedi mercoledi giovedi
    venerdi domenica january february march april may june july august september october november
    december jan feb mar apr jun jul aug sep sept oct nov dec januar februar marz maerz mai juni
    juli oktober dezember okt dez janvier fevrier mars avril juin juillet aout septembre octobre
    novembre decembre enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre
    diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre novembre dicembre
    day days date week weeks month year tag woche monat jahr jour semaine mois annee dia semana mes
    giorno settimana mese morning noon afternoon evening night early late frueh fruh spat spaet
    nacht am pm q kw cw batch batches lot lots charge chargen los lote lotto serie series set sets
    group gruppe groupe grupo gruppo part parts teil teile piece pieces item items unit units sample
    samples object objects side sides seite seiten view views angle angles ansicht perspective pose
    position pos camera cameras cam cams kamera kameras camara channel sensor device lens line lines
    linie ligne linea station stations machine maschine robot cell plant werk hall halle site
    factory shift shifts schicht fruhschicht spatschicht nachtschicht run runs session sessions
    sequence seq scan scans shot shots round rounds series trial trials visit visits no nr num id sn
    top bottom left right front back rear center centre middle upper lower inner outer north south
    east west oben unten links rechts vorne hinten mitte haut bas gauche droite arriba abajo
    izquierda derecha first second third fourth left right close near far wide zoom light lights
    lighting bright dark dim led ir uv rgb mono flash exposure gain high low
    周一 周二 周三 周四 周五 周六 周日 批次 批 相机 相機 产线 班次 左 右 上 下 前 后 後
"""
_WORDS = frozenset(map(fold, _SERIES.split()))
# "3f21c0de" and "SN0071A" are numbers with letters; "batch7" is a word with a number.
_NUMBERED = re.compile(r"([^\W\d_]{3,})\d+|([^\W\d_]+)")


def may_be_classes(names: Sequence[str], has_others: bool = False) -> bool:
    """Returns whether folders beside each other may be classes, such as good and defective.

    They are if words that nobody knows tell two of them apart, or one from folders whose names say
    nothing of quality, such as `photos`. Dates, numbers, cameras, batches and sides of an item are
    series.

    Args:
        names: Their names, of which no word is known.
        has_others: bool. Whether there are folders beside them whose names say nothing of quality.
    """
    words = [_words(name) for name in names]
    common = set.intersection(*map(set, words)) if len(words) > 1 else set()
    own = {frozenset()} if has_others else set()
    for found in words:
        rest = frozenset(word for word in found if word not in _WORDS | common)
        is_counted = bool(found) and len(rest) < len(found)
        # "camera a" and "camera b" are two of one kind; "a" and "b" may be grades.
        if is_counted and all(len(word) == 1 and word.isascii() for word in rest):
            rest = frozenset()
        if rest or (found and not _WORDS.intersection(found)):
            own.add(rest)
    return len(own) > 1


def _words(name: str) -> list[str]:
    words = []
    for token in re.split(r"[\W_]+", " ".join(re.split(r"(?<=[a-z])(?=[A-Z])", name))):
        match = _NUMBERED.fullmatch(token)
        words += name_words(match[1] or match[2]) if match else []
    return words
