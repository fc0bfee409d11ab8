//! The contrast of text, computed from the colours of the stylesheet.

use std::collections::BTreeMap;

use palette::color_difference::Wcag21RelativeContrast;
use palette::{FromColor, Oklch, Srgb};

/// The colours, as they are written.
const TOKENS: &str = include_str!("../../static/css/tokens.css");

/// What a reader with poor sight needs without a magnifier (WCAG 2.2, 1.4.6 Contrast (Enhanced), level AAA).
const ENHANCED: f32 = 7.0;

/// Colours of text, and the backgrounds that each stands on.
const TEXT: [(&str, &[&str]); 10] = [
    ("text", &["page", "glow", "card", "accent-soft", "warning-soft"]),
    ("text-soft", &["page", "glow", "card", "accent-soft", "warning-soft"]),
    ("text-faint", &["page", "glow", "card", "accent-soft"]),
    ("accent", &["page", "glow", "card", "accent-soft", "warning-soft"]),
    ("accent-hover", &["page", "glow", "card", "accent-soft", "warning-soft"]),
    ("on-accent", &["accent", "accent-hover"]),
    ("error", &["page", "glow", "card"]),
    ("error-hover", &["card"]),
    ("on-error", &["error", "error-hover"]),
    ("warning-text", &["warning-soft", "card"]),
];

type Colours = BTreeMap<&'static str, Srgb>;

/// Reads every `--color-name: light-dark(oklch(lightness% chroma hue), oklch(…));`, for a light screen and a dark one.
fn colours(css: &'static str) -> [Colours; 2] {
    let both = css.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("--color-")?.split_once(": light-dark(oklch(")?;
        let (light, dark) = value.strip_suffix("));")?.split_once("), oklch(")?;
        Some((name, [light, dark]))
    });
    let mut colours = [Colours::new(), Colours::new()];
    for (name, values) in both {
        for (scheme, value) in colours.iter_mut().zip(values) {
            let numbers: Vec<f32> = value
                .split(" / ")
                .next()
                .unwrap()
                .split(' ')
                .map(|number| number.trim_end_matches('%').parse().unwrap())
                .collect();
            let [lightness, chroma, hue] = numbers[..] else { panic!("{name}: {value}") };
            scheme.insert(name, Srgb::from_color(Oklch::new(lightness / 100.0, chroma, hue)));
        }
    }
    colours
}

#[test]
fn text_has_the_contrast_of_level_aaa_in_light_and_in_dark() {
    let [light, dark] = colours(TOKENS);
    assert_ne!(light["page"], dark["page"]);
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
