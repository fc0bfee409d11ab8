//! The README as its reader copies from it.

/// Its text.
const README: &str = include_str!("../../../README.md");

/// Returns the one block of a language that holds some words.
pub(crate) fn block(language: &str, words: &str) -> &'static str {
    let blocks = README.split("\n```").filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n'));
    let found: Vec<_> = blocks.filter(|block| block.contains(words)).collect();
    let [block] = found[..] else { panic!("{} blocks of {language} with {words:?}", found.len()) };
    block
}

/// Returns a block as a file, with what a test has in the place of what stands there; each must stand there.
pub(crate) fn with(block: &str, replacements: &[(&str, String)]) -> String {
    let mut text = format!("{block}\n");
    for (written, used) in replacements {
        assert!(text.contains(written), "{written:?} is not in {block}");
        text = text.replace(written, used);
    }
    text
}
