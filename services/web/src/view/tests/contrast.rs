//! Text and marks stand out from what is behind them, in both themes (WCAG 2.2, 1.4.3 and 1.4.11).

use std::collections::BTreeMap;

type Tokens<'a> = BTreeMap<&'a str, [f64; 3]>;

const SURFACES: [&str; 5] =
    ["surface-page", "surface-side", "surface-raised", "surface-sunken", "surface-hover"];
const TEXTS: [&str; 5] = ["text", "text-soft", "text-faint", "accent-text", "red-text"];
const TINTS: [&str; 6] = ["blue", "amber", "violet", "green", "red", "grey"];

fn tokens(css: &str) -> Tokens<'_> {
    css.lines()
        .filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
            let colour = u32::from_str_radix(value.trim_end_matches(';'), 16).ok()?;
            let channel = |shift: u32| f64::from((colour >> shift) & 0xff) / 255.0;
            Some((name, [channel(16), channel(8), channel(0)]))
        })
        .collect()
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear =
        colour.map(|part| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(tokens: &Tokens<'_>, front: &str, back: &str) -> f64 {
    let (front, back) = (luminance(tokens[front]), luminance(tokens[back]));
    (front.max(back) + 0.05) / (front.min(back) + 0.05)
}

fn check(theme: &str, tokens: &Tokens<'_>) {
    let need = |front: &str, back: &str, least: f64| {
        let found = contrast(tokens, front, back);
        assert!(found >= least, "{theme}: {front} on {back} is {found:.2}, below {least}");
    };
    for back in SURFACES {
        for front in TEXTS {
            need(front, back, 4.5);
        }
    }
    for tint in TINTS {
        need(&format!("{tint}-text"), &format!("{tint}-soft"), 4.5);
    }
    for back in ["accent", "accent-hover"] {
        need("on-accent", back, 4.5);
    }
    for front in ["text", "text-soft", "accent-text", "red-text"] {
        need(front, "accent-soft", 4.5);
    }
    for back in ["surface-page", "surface-raised", "surface-side"] {
        for front in ["line-strong", "focus", "accent"] {
            need(front, back, 3.0);
        }
    }
}

#[test]
fn tokens_keep_their_contrast_in_both_themes() {
    let css = include_str!("../../../assets/src/css/tokens.css");
    let (light, dark) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
    let light = tokens(light);
    let mut in_the_dark = light.clone();
    in_the_dark.extend(tokens(dark));
    assert!(light.len() >= 25, "{light:?}");
    check("light", &light);
    check("dark", &in_the_dark);
}
