"""Random boxes for the tests of detectors' figures."""

from __future__ import annotations

import numpy as np

from protonet.train.metrics.boxes import FoundBoxes, TrueBoxes


def random_boxes(
    seed: int, images: int = 12, classes: int = 5, most: int = 7, extent: float = 200.0
) -> tuple[FoundBoxes, TrueBoxes]:
    """Found boxes near true ones and elsewhere, of classes 1 to ``classes``, in pixels.

    Scores are tied, some classes and images have no true boxes or no found ones, some true boxes
    are equal, difficult ones are crowds.
    """
    random = np.random.default_rng(seed)
    true_rows, found_rows = [], []
    absent = set(random.choice(np.arange(1, classes + 1), classes // 3, replace=False).tolist())
    for image in range(images):
        for _ in range(int(random.integers(0, most))):
            label = int(random.integers(1, classes + 1))
            start = random.uniform(0, extent, 2).round()
            box = np.concatenate([start, start + random.uniform(2, extent * 0.7, 2).round()])
            hard = random.random() < 0.2
            if label not in absent:
                true_rows += [[image, label, 0, *box, hard]] * (1 + (random.random() < 0.1))
            for _ in range(int(random.integers(0, 4))):
                moved = box + random.normal(0, 0.06, 4) * np.tile(box[2:] - box[:2], 2)
                if random.random() < 0.3:
                    moved = box
                score = round(random.random(), 1)
                said = label if random.random() < 0.9 else int(random.integers(1, classes + 1))
                found_rows.append([image, said, score, *moved])
    found = FoundBoxes.of_rows(np.array(found_rows).reshape(-1, 7))
    return found[random.permutation(len(found))], TrueBoxes.of_rows(np.array(true_rows))
