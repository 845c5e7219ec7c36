"""EXIF's orientation in JPEGs, for tests."""

from PIL import ExifTags, Image


def orient(jpeg, orientation):
    """Rewrite a JPEG with an orientation, 1 to 8; returns it as Pillow reads it, which is as stored."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    with Image.open(jpeg) as image:
        image.load()
        image.save(jpeg, exif=exif, quality=95)
    return Image.open(jpeg)
