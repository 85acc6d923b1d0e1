"""Colours of labels: from a labeling config's CSS colours to ones that text can be read on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import cycle

Rgb = tuple[int, int, int]

DEFAULT_PALETTE = (
    *("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f"),
    *("#ff9da7", "#2f6f6a", "#8cd17d", "#6b4c9a", "#d37295", "#a0cbe8", "#b6992d", "#79706e"),
)
"""Colours of labels without a colour of their own, by the label's position: after Tableau 10 and 20
(Stone 2016), ordered so that neighbours differ; from the 17th label on they repeat."""

TEXT_CONTRAST = 4.5
"""The least contrast of text that WCAG 2.2 allows at level AA."""

_LIGHT_PAPER: Rgb = (255, 255, 255)  # --paper in page.css
_DARK_PAPER: Rgb = (22, 24, 27)
_BLACK: Rgb = (0, 0, 0)
_WHITE: Rgb = (255, 255, 255)
_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", re.IGNORECASE)


def label_style(colors: Mapping[str, str]) -> str:
    """The style sheet that gives CSS classes the variables of their colours, light and dark.

    `colors` maps class names to CSS colours; what is neither `#hex` nor a CSS colour name gets the
    default palette's. `solid` is the colour itself, `contrast` black or white, whichever is easier
    to read on it; `tint` a pale background on which the page's text is read; `edge` the colour
    brought to a contrast of 4.5 on that background.
    """
    rules: list[str] = []
    dark_rules: list[str] = []
    for (name, color), default in zip(colors.items(), cycle(DEFAULT_PALETTE), strict=False):
        solid = parse_color(color) or parse_color(default) or _BLACK
        contrast = max(_BLACK, _WHITE, key=lambda ink: contrast_ratio(ink, solid))
        rules.append(
            f".{name}{{--solid:{_hex(solid)};--contrast:{_hex(contrast)};"
            f"{_tint_and_edge(solid, _mix(solid, _LIGHT_PAPER, 0.78), _BLACK)}}}"
        )
        dark_rules.append(
            f".{name}{{{_tint_and_edge(solid, _mix(solid, _DARK_PAPER, 0.7), _WHITE)}}}"
        )
    light, dark = "\n".join(rules), "\n".join(dark_rules)
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def parse_color(color: str) -> Rgb | None:
    """The colour as red, green, blue; None if it is neither `#hex` nor a CSS colour name.

    Transparency is dropped: `#f008` gives (255, 0, 0).
    """
    color = color.strip().lower()
    if _HEX.fullmatch(color):
        digits = color[1:]
    elif re.fullmatch("[a-z]+", color) and (match := re.search(rf"\b{color}:(\w+)", _NAMED)):
        digits = match[1]
    else:
        return None
    if len(digits) < 6:
        digits = "".join(2 * digit for digit in digits)
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def contrast_ratio(first: Rgb, second: Rgb) -> float:
    """Contrast in [1, 21] as WCAG 2.2 defines it."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _tint_and_edge(solid: Rgb, tint: Rgb, ink: Rgb) -> str:
    """Two CSS variables: a background, and the colour moved towards the ink until it is readable.

    A tint as pale as those above is readable with the ink itself, whatever the colour.
    """
    mixed = (_mix(solid, ink, step / 20) for step in range(21))
    edge = next((color for color in mixed if contrast_ratio(color, tint) >= TEXT_CONTRAST), ink)
    return f"--tint:{_hex(tint)};--edge:{_hex(edge)}"


def _luminance(color: Rgb) -> float:
    """Relative luminance in [0, 1] as WCAG 2.2 defines it."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in color)
    )
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def _mix(color: Rgb, other: Rgb, share: float) -> Rgb:
    """The colour with a share in [0, 1] of the other in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def _hex(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


# The named colours of CSS Color Module Level 4.
_NAMED = """
aliceblue:f0f8ff antiquewhite:faebd7 aqua:00ffff aquamarine:7fffd4 azure:f0ffff beige:f5f5dc
bisque:ffe4c4 black:000000 blanchedalmond:ffebcd blue:0000ff blueviolet:8a2be2 brown:a52a2a
burlywood:deb887 cadetblue:5f9ea0 chartreuse:7fff00 chocolate:d2691e coral:ff7f50
cornflowerblue:6495ed cornsilk:fff8dc crimson:dc143c cyan:00ffff darkblue:00008b darkcyan:008b8b
darkgoldenrod:b8860b darkgray:a9a9a9 darkgreen:006400 darkgrey:a9a9a9 darkkhaki:bdb76b
darkmagenta:8b008b darkolivegreen:556b2f darkorange:ff8c00 darkorchid:9932cc darkred:8b0000
darksalmon:e9967a darkseagreen:8fbc8f darkslateblue:483d8b darkslategray:2f4f4f
darkslategrey:2f4f4f darkturquoise:00ced1 darkviolet:9400d3 deeppink:ff1493 deepskyblue:00bfff
dimgray:696969 dimgrey:696969 dodgerblue:1e90ff firebrick:b22222 floralwhite:fffaf0
forestgreen:228b22 fuchsia:ff00ff gainsboro:dcdcdc ghostwhite:f8f8ff gold:ffd700
goldenrod:daa520 gray:808080 green:008000 greenyellow:adff2f grey:808080 honeydew:f0fff0
hotpink:ff69b4 indianred:cd5c5c indigo:4b0082 ivory:fffff0 khaki:f0e68c lavender:e6e6fa
lavenderblush:fff0f5 lawngreen:7cfc00 lemonchiffon:fffacd lightblue:add8e6 lightcoral:f08080
lightcyan:e0ffff lightgoldenrodyellow:fafad2 lightgray:d3d3d3 lightgreen:90ee90 lightgrey:d3d3d3
lightpink:ffb6c1 lightsalmon:ffa07a lightseagreen:20b2aa lightskyblue:87cefa
lightslategray:778899 lightslategrey:778899 lightsteelblue:b0c4de lightyellow:ffffe0 lime:00ff00
limegreen:32cd32 linen:faf0e6 magenta:ff00ff maroon:800000 mediumaquamarine:66cdaa
mediumblue:0000cd mediumorchid:ba55d3 mediumpurple:9370db mediumseagreen:3cb371
mediumslateblue:7b68ee mediumspringgreen:00fa9a mediumturquoise:48d1cc mediumvioletred:c71585
midnightblue:191970 mintcream:f5fffa mistyrose:ffe4e1 moccasin:ffe4b5 navajowhite:ffdead
navy:000080 oldlace:fdf5e6 olive:808000 olivedrab:6b8e23 orange:ffa500 orangered:ff4500
orchid:da70d6 palegoldenrod:eee8aa palegreen:98fb98 paleturquoise:afeeee palevioletred:db7093
papayawhip:ffefd5 peachpuff:ffdab9 peru:cd853f pink:ffc0cb plum:dda0dd powderblue:b0e0e6
purple:800080 rebeccapurple:663399 red:ff0000 rosybrown:bc8f8f royalblue:4169e1
saddlebrown:8b4513 salmon:fa8072 sandybrown:f4a460 seagreen:2e8b57 seashell:fff5ee sienna:a0522d
silver:c0c0c0 skyblue:87ceeb slateblue:6a5acd slategray:708090 slategrey:708090 snow:fffafa
springgreen:00ff7f steelblue:4682b4 tan:d2b48c teal:008080 thistle:d8bfd8 tomato:ff6347
turquoise:40e0d0 violet:ee82ee wheat:f5deb3 white:ffffff whitesmoke:f5f5f5 yellow:ffff00
yellowgreen:9acd32
"""
