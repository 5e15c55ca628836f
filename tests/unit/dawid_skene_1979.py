"""The anaesthetists' data of A. P. Dawid, A. M. Skene, Appl. Stat. 28 (1979) 20, table 1.

45 patients, each rated 1 to 4 for fitness: three times by observer 1, once by observers 2 to 5.
Copies differ in one rating: patient 7 has 1 1 2 by observer 1 here, as in the R package rater, on
which the numbers of the test rest; others print 1 2 2.
"""

PATIENTS = """\
1111111 3334334 1122122 2223121 2223222 2223322 1122111 3333433 2222223 2322223 4444444 2223343
1111111 2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222
1111111 1111111 2322222 1111111 1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343
2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""
OBSERVERS = (0, 0, 0, 1, 2, 3, 4)


def rows() -> tuple[list[int], list[int], list[int]]:
    """Case, rater and label of each of the 315 ratings, counted from 0."""
    triples = [
        (case, rater, int(label) - 1)
        for case, patient in enumerate(PATIENTS.split())
        for rater, label in zip(OBSERVERS, patient, strict=True)
    ]
    cases, raters, labels = zip(*triples, strict=True)
    return list(cases), list(raters), list(labels)
