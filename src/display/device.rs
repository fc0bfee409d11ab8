//! Devices in words, for pages and mails alike.

use super::duration::spelled;
use super::time::DisplayTime;

/// Names a browser and its system: `Chrome on Linux`; `Unknown browser` where it does not say.
pub fn device(user_agent: &str) -> String {
    let Some(found) = woothee::parser::Parser::new().parse(user_agent) else {
        return "Unknown browser".to_owned();
    };
    let system = match found.os {
        "Mac OSX" => "macOS",
        "Windows UNKNOWN Ver" => "Windows",
        system if system.starts_with("Windows") => "Windows",
        system => system,
    };
    match (found.name, system) {
        ("HTTP Library", _) => "A program".to_owned(),
        ("UNKNOWN", "UNKNOWN") => "Unknown browser".to_owned(),
        ("UNKNOWN", system) => format!("Unknown browser on {system}"),
        (name, "UNKNOWN") => name.to_owned(),
        (name, system) => format!("{name} on {system}"),
    }
}

/// Says on how many devices somebody is signed in, and when the newest of them came: `Three devices, the last new one on
/// 9 November.`
pub fn signed_in_on(devices: usize, newest: &DisplayTime) -> String {
    let day = newest.date().rsplit_once(' ').map_or(newest.date(), |(day, _)| day);
    if devices <= 1 {
        return format!("One device, since {day}.");
    }
    let mut words = spelled(devices, "device");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{words}, the last new one on {day}.")
}

/// What a device is, as far as its browser says: the word is the name of its drawing in `icon.html`.
pub fn kind(user_agent: &str) -> &'static str {
    let Some(found) = woothee::parser::Parser::new().parse(user_agent) else { return "unknown" };
    // An Android browser names itself `Mobile` on a telephone and leaves that out on a tablet.
    let is_tablet = found.os == "iPad" || (found.os == "Android" && !user_agent.contains("Mobile"));
    match (found.name, found.category) {
        ("HTTP Library", _) => "program",
        _ if is_tablet => "tablet",
        (_, "smartphone" | "mobilephone") => "phone",
        (_, "pc") => "computer",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_of_today_are_named() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
        for (user_agent, name) in [
            (chrome.to_owned(), "Chrome on Linux"),
            (format!("{chrome} Edg/142.0.0.0").replace("X11; Linux x86_64", "Windows NT 10.0; Win64; x64"), "Edge on Windows"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0".into(), "Firefox on Windows"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15".into(), "Safari on macOS"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1".into(), "Safari on iPhone"),
            ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36".into(), "Chrome on Android"),
            ("curl/8.5.0".into(), "A program"),
            (String::new(), "Unknown browser"),
            ("<script>alert(1)</script>".into(), "Unknown browser"),
        ] {
            assert_eq!(device(&user_agent), name, "{user_agent}");
        }
    }

    #[test]
    fn a_device_is_drawn_as_what_it_is() {
        for (user_agent, drawing) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "computer"),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "computer",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
                "phone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
                "phone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "tablet",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
                "tablet",
            ),
            ("curl/8.5.0", "program"),
            ("", "unknown"),
        ] {
            assert_eq!(kind(user_agent), drawing, "{user_agent}");
        }
    }
}
