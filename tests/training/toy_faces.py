"""Faces for the training tests, and where the shared media lie."""

from __future__ import annotations

from pathlib import Path

from training.faces.toy import BOX, LANDMARKS, Face, astronaut, bank_of, face, faked, item

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
__all__ = ["BOX", "LANDMARKS", "SHARED", "Face", "astronaut", "bank_of", "face", "faked", "item"]
