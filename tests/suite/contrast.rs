//! The contrast of text, computed from the colours of the stylesheet.

use std::collections::BTreeMap;

use palette::color_difference::Wcag21RelativeContrast;
use palette::{FromColor, Oklch, Srgb};

/// The colours, as they are written.
const TOKENS: &str = include_str!("../../static/css/tokens.css");

/// What a reader with poor sight needs without a magnifier (WCAG 2.2, 1.4.6 Contrast (Enhanced), level AAA).
const ENHANCED: f32 = 7.0;

/// Colours of text, and the backgrounds that each stands on.
const TEXT: [(&str, &[&str]); 7] = [
    ("ink", &["paper", "surface", "leaf-pale", "amber-pale"]),
    ("ink-soft", &["paper", "surface", "leaf-pale", "amber-pale"]),
    ("leaf", &["paper", "surface", "leaf-pale", "amber-pale"]),
    ("leaf-deep", &["paper", "surface", "leaf-pale", "amber-pale"]),
    ("on-leaf", &["leaf", "leaf-deep"]),
    ("red", &["paper", "surface"]),
    ("amber-deep", &["amber-pale"]),
];

type Colours = BTreeMap<&'static str, Srgb>;

/// Reads every `--lch-name: lightness% chroma hue;`.
fn colours(css: &'static str) -> Colours {
    let lines = css.lines().filter_map(|line| line.trim().strip_prefix("--lch-")?.strip_suffix(';')?.split_once(": "));
    lines
        .map(|(name, value)| {
            let numbers: Vec<f32> =
                value.split(' ').map(|number| number.trim_end_matches('%').parse().unwrap()).collect();
            let [lightness, chroma, hue] = numbers[..] else { panic!("{name}: {value}") };
            (name, Srgb::from_color(Oklch::new(lightness / 100.0, chroma, hue)))
        })
        .collect()
}

#[test]
fn text_has_the_contrast_of_level_aaa_in_light_and_in_dark() {
    let (light, rest) = TOKENS.split_once("@media screen and (prefers-color-scheme: dark)").unwrap();
    let light = colours(light);
    let mut dark = light.clone();
    dark.extend(colours(rest.split_once("@media").unwrap().0));
    assert_ne!(light["paper"], dark["paper"]);
    let mut faint = Vec::new();
    for (scheme, colours) in [("light", light), ("dark", dark)] {
        for (text, backgrounds) in TEXT {
            for background in backgrounds {
                let contrast = colours[text].relative_contrast(colours[background]);
                if contrast < ENHANCED {
                    faint.push(format!("{scheme}: {text} on {background}: {contrast:.2}"));
                }
            }
        }
    }
    assert!(faint.is_empty(), "{faint:#?}");
}
