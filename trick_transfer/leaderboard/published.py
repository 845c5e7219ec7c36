"""The paper's columns as tables: every number from one run, without its noise or its images."""

from collections.abc import Mapping
from typing import Any

from .ledger import LADDER, entry, paper_effect
from .paper import SOURCES, Value, values_of
from .rows import METRICS, plain_cell, with_rows

TIER = "published"
IMAGENET = {"stage": "classification", "name": "imagenet", "hash": None, "data": None, "samples": 50_000}
PLACES = {"stage": "classification", "name": "places365", "hash": None, "data": None, "samples": 36_500}
VOC = {"stage": "detection", "name": "faster_rcnn_voc", "hash": None, "data": None, "samples": 4952}
ADE20K = {"stage": "segmentation", "name": "fcn_ade20k", "hash": None, "data": None, "samples": 2000}
OF_PLACES = "Table 7"


def published() -> list[dict[str, Any]]:
    """The tables of ImageNet and what was fine-tuned from it, and of Places365."""
    said = {recipe: values_of(recipe) for _, _, rows in SOURCES for recipe in rows}
    places = {recipe: values for recipe, values in said.items() if values["top1"].table == OF_PLACES}
    rest = {recipe: values for recipe, values in said.items() if recipe not in places}
    return [paper_table([IMAGENET, VOC, ADE20K], rest), paper_table([PLACES], places)]


def paper_table(protocols: list[dict], said: Mapping[str, Mapping[str, Value]]) -> dict[str, Any]:
    """One table of the paper's columns, with the ledger of the steps that it has."""
    table = with_rows(TIER, protocols, [paper_row(*each) for each in said.items()])
    table["ledger"] = [
        entry(step, name, effect, None, decidable=False, n=1)
        for step in LADDER
        for name in METRICS
        if step.with_it in said and (effect := paper_effect(step, name)) is not None
    ]
    return table


def paper_row(recipe: str, values: Mapping[str, Value]) -> dict[str, Any]:
    """One row of them."""
    return {
        "recipe": recipe,
        **{name: values[name].value if name in values else None for name in ("params_m", "gmacs")},
        "device_hours": None,
        "cells": {name: plain_cell([values[name].value], values[name]) for name in METRICS if name in values},
        "class_iou": {},
        "runs": [],
    }
