"""Validation pictures for people: picture, truth, prediction and errors, from worst to best."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rtseg.classes import ClassSet
from rtseg.errors import DataError
from rtseg.training.datasets.dataset import SegmentationDataset
from rtseg.training.evaluate import PictureScore
from rtseg.training.pictures import UInt8, comparison, contact_sheet, legend
from rtseg.training.predictor import Predictor
from rtseg.whole_file import write_whole_file

NUM_PICTURES = 6
CELL_WIDTH_PX = 1280

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px sans-serif;background:#1c1e20;color:#ebebeb;margin:2em}}
img{{max-width:100%}}figure{{margin:0 0 1.5em}}figcaption{{margin:.3em 0}}</style></head>
<body><h1>{title}</h1>
<p>Picture, truth, prediction, errors (red: wrong, grey-green: right, black: no truth), from the
worst picture to the best.</p>
{figures}
</body></html>
"""


def write_gallery(
    predictor: Predictor,
    data: SegmentationDataset,
    scores: Sequence[PictureScore],
    title: str,
    sheet: Path,
    page: Path,
) -> None:
    """Write some pictures as one PNG and as one page that holds its pictures.

    Args:
        predictor: that labels them.
        data: where they are from.
        scores: one for each picture of `data`; what is shown is spread evenly over them.
        title: of the page.
        sheet: the PNG.
        page: the HTML file.
    """
    captions, rows = [], []
    for index in _spread(scores):
        sample = data[index]
        prediction = predictor.labels([sample.image_bgr])[0]
        rows.append(comparison(sample.image_bgr, sample.labels, prediction, data.classes))
        captions.append(f"{sample.name}: mIoU {100 * scores[index].mean_iou:.1f} %")
    cell_height = round(CELL_WIDTH_PX * rows[0].shape[0] / rows[0].shape[1])
    everything = contact_sheet(rows, captions, 1, (CELL_WIDTH_PX, cell_height))
    write_whole_file(sheet, lambda file: file.write(_encoded(everything, ".png")))
    text = _page(title, rows, captions, data.classes)
    write_whole_file(page, lambda file: file.write(text.encode()))


def _spread(scores: Sequence[PictureScore]) -> list[int]:
    """Return the indices of pictures from the worst to the best; those without truth are left."""
    known = [index for index, score in enumerate(scores) if not math.isnan(score.mean_iou)]
    ranked = sorted(known or range(len(scores)), key=lambda index: scores[index].mean_iou)
    places = np.linspace(0, len(ranked) - 1, min(NUM_PICTURES, len(ranked))).round().astype(int)
    return [ranked[place] for place in places]


def _page(title: str, rows: Sequence[UInt8], captions: Sequence[str], classes: ClassSet) -> str:
    figures = [
        f"<figure>{_image(row, '.jpg')}<figcaption>{html.escape(caption)}</figcaption></figure>"
        for row, caption in zip(rows, captions, strict=True)
    ]
    figures.append(f"<figure>{_image(legend(classes, None, 360), '.png')}</figure>")
    return _PAGE.format(title=html.escape(title), figures="\n".join(figures))


def _image(image_bgr: UInt8, suffix: str) -> str:
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    data = base64.b64encode(_encoded(image_bgr, suffix)).decode()
    return f'<img alt="" src="data:image/{kind};base64,{data}">'


def _encoded(image_bgr: UInt8, suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, image_bgr)
    if not done:
        raise DataError(f"OpenCV can't write a picture of {image_bgr.shape} as {suffix}")
    return data.tobytes()
