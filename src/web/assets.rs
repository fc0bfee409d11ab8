//! The stylesheet and the icon: embedded, compressed once, named by their content. And the files that browsers and search
//! engines ask for by a name of their own choice.
//!
//! A name that holds a hash never changes its content, so browsers keep it for a year and never ask again.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use actix_web::web::Bytes;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::static_folder::StaticFolder;

macro_rules! embedded {
    ($($name:literal),*) => {
        [$(($name, include_bytes!(concat!("../../static/", $name)).as_slice())),*]
    };
}

/// The parts of the one stylesheet, in the order of the cascade.
const STYLES: [(&str, &[u8]); 6] =
    embedded!["css/tokens.css", "css/base.css", "css/forms.css", "css/layout.css", "css/rows.css", "css/print.css"];

const ICON: (&str, &[u8]) = ("icons/icon.svg", include_bytes!("../../static/icons/icon.svg"));

/// The files at a fixed path.
const FIXED: [Source; 3] = [
    Source {
        path: "/favicon.ico",
        content_type: "image/vnd.microsoft.icon",
        name: "icons/favicon.ico",
        embedded: include_bytes!("../../static/icons/favicon.ico"),
    },
    Source {
        path: "/apple-touch-icon.png",
        content_type: "image/png",
        name: "icons/apple-touch-icon.png",
        embedded: include_bytes!("../../static/icons/apple-touch-icon.png"),
    },
    Source {
        path: "/robots.txt",
        content_type: "text/plain; charset=utf-8",
        name: "robots.txt",
        embedded: include_bytes!("../../static/robots.txt"),
    },
];

/// Characters of the hash in a name: 72 bits, so two contents never share one.
const HASH_CHARACTERS: usize = 12;

/// A file as it goes out.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    name: String,
    url: String,
    pub(crate) content_type: &'static str,
    pub(crate) plain: Bytes,
    pub(crate) gzip: Bytes,
}

/// Where a file at a fixed path comes from.
struct Source {
    path: &'static str,
    content_type: &'static str,
    name: &'static str,
    embedded: &'static [u8],
}

/// A file at a path that others have chosen.
#[derive(Debug, Clone)]
pub(crate) struct FixedAsset {
    path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) content: Bytes,
}

/// The files that every page refers to, and those that browsers ask for without being told.
#[derive(Debug, Clone)]
pub(crate) struct Assets {
    stylesheet: Asset,
    icon: Asset,
    fixed: Vec<FixedAsset>,
}

impl Assets {
    /// Reads the embedded files, each replaced by the one of the same name in `folder`, if there is one.
    pub(crate) fn load(folder: Option<&StaticFolder>) -> io::Result<Self> {
        let mut styles = Vec::new();
        for (name, embedded) in STYLES {
            styles.extend_from_slice(&content(folder, name, embedded)?);
        }
        let icon = content(folder, ICON.0, ICON.1)?.into_owned();
        let mut fixed = Vec::new();
        for Source { path, content_type, name, embedded } in FIXED {
            let content = content(folder, name, embedded)?.into_owned().into();
            fixed.push(FixedAsset { path, content_type, content });
        }
        Ok(Self {
            stylesheet: Asset::new("style", "css", "text/css; charset=utf-8", styles)?,
            icon: Asset::new("icon", "svg", "image/svg+xml", icon)?,
            fixed,
        })
    }

    /// Returns the file of a name.
    pub(crate) fn find(&self, name: &str) -> Option<&Asset> {
        [&self.stylesheet, &self.icon].into_iter().find(|asset| asset.name == name)
    }

    /// Returns the file at a fixed path.
    pub(crate) fn find_fixed(&self, path: &str) -> Option<&FixedAsset> {
        self.fixed.iter().find(|asset| asset.path == path)
    }

    pub(crate) fn stylesheet(&self) -> &str {
        &self.stylesheet.url
    }

    pub(crate) fn icon(&self) -> &str {
        &self.icon.url
    }
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, plain: Vec<u8>) -> io::Result<Self> {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&plain));
        let name = format!("{stem}.{}.{extension}", hash.get(..HASH_CHARACTERS).unwrap_or_default());
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&plain)?;
        let gzip = encoder.finish()?.into();
        Ok(Self { url: format!("/static/{name}"), name, content_type, plain: plain.into(), gzip })
    }
}

fn content(folder: Option<&StaticFolder>, name: &str, embedded: &'static [u8]) -> io::Result<Cow<'static, [u8]>> {
    match folder.map(|folder| folder.read(Path::new(name))) {
        Some(Ok(content)) => Ok(content.into()),
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(embedded.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_folder_replaces_the_embedded_one_and_changes_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("icons")).unwrap();
        std::fs::write(folder.path().join("icons/icon.svg"), "<svg/>").unwrap();
        let opened = StaticFolder::open(folder.path()).unwrap();
        let (embedded, replaced) = (Assets::load(None).unwrap(), Assets::load(Some(&opened)).unwrap());
        assert_eq!(&replaced.icon.plain[..], b"<svg/>");
        assert_ne!(replaced.icon(), embedded.icon());
        assert_eq!(replaced.stylesheet(), embedded.stylesheet());
    }

    #[test]
    fn a_file_at_a_fixed_path_can_be_replaced_too() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("robots.txt"), "User-agent: *\nDisallow: /\n").unwrap();
        let replaced = Assets::load(Some(&StaticFolder::open(folder.path()).unwrap())).unwrap();
        assert_eq!(&replaced.find_fixed("/robots.txt").unwrap().content[..], b"User-agent: *\nDisallow: /\n");
    }

    #[test]
    fn no_keyframe_holds_a_variable_because_firefox_stands_still_at_it() {
        let style = String::from_utf8(Assets::load(None).unwrap().stylesheet.plain.to_vec()).unwrap();
        let keyframes: Vec<_> = style.split("@keyframes ").skip(1).collect();
        assert!(!keyframes.is_empty());
        for keyframes in keyframes {
            let (rules, _) = keyframes.split_once("\n}").unwrap();
            assert!(!rules.contains("var("), "{rules}");
        }
    }

    #[test]
    fn a_link_out_of_the_folder_stops_the_start() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::create_dir(folder.path().join("icons")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("icons/icon.svg")).unwrap();
        let refused = Assets::load(Some(&StaticFolder::open(folder.path()).unwrap())).unwrap_err();
        assert!(refused.to_string().ends_with("icons/icon.svg: it is a link out of STATIC_DIR"), "{refused}");
    }

    #[test]
    fn a_first_visit_stays_small() {
        let assets = Assets::load(None).unwrap();
        assert!(assets.stylesheet.gzip.len() + assets.icon.gzip.len() < 12_000);
    }
}
