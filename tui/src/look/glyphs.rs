//! Every character that is neither plain text nor a state, in Unicode and in ASCII.

use heartline_operator::text::GlyphSet;
use ratatui::symbols::border;

/// One set of glyphs.
#[derive(Debug)]
pub(crate) struct Glyphs {
    pub charset: GlyphSet,
    /// An open group, and a folded one.
    pub open: &'static str,
    pub folded: &'static str,
    pub marked: &'static str,
    pub separator: &'static str,
    pub arrow: &'static str,
    pub more: &'static str,
    pub down: &'static str,
    pub up: &'static str,
    /// Eight heights, lowest first.
    pub bars: [&'static str; 8],
    pub border: border::Set<'static>,
}

static UNICODE: Glyphs = Glyphs {
    charset: GlyphSet::Unicode,
    open: "▾",
    folded: "▸",
    marked: "*",
    separator: "│",
    arrow: "→",
    more: "…",
    down: "▼",
    up: "▲",
    bars: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    border: border::PLAIN,
};

static ASCII: Glyphs = Glyphs {
    charset: GlyphSet::Ascii,
    open: "v",
    folded: ">",
    marked: "*",
    separator: "|",
    arrow: "->",
    more: "~",
    down: "v",
    up: "^",
    bars: ["_", ".", ",", "-", "=", "+", "*", "#"],
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

impl Glyphs {
    pub(crate) fn of(charset: GlyphSet) -> &'static Self {
        match charset {
            GlyphSet::Unicode => &UNICODE,
            GlyphSet::Ascii => &ASCII,
        }
    }

    /// A bar of one cell for `value` of at most `most`; blank for nothing at all.
    pub(crate) fn bar(&self, value: u32, most: u32) -> &'static str {
        if value == 0 {
            return " ";
        }
        let step = u64::from(value) * 8 / u64::from(most.max(value)).max(1);
        self.bars[usize::try_from(step.clamp(1, 8)).map_or(7, |step| step - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_never_hide_a_small_value_and_fill_at_the_largest() {
        let glyphs = Glyphs::of(GlyphSet::Unicode);
        assert_eq!(glyphs.bar(0, 1000), " ");
        assert_eq!(glyphs.bar(1, 1000), "▁");
        assert_eq!(glyphs.bar(1000, 1000), "█");
    }

    #[test]
    fn the_ascii_set_is_ascii() {
        let g = &ASCII;
        let all = [g.open, g.folded, g.marked, g.separator, g.arrow, g.more, g.down, g.up];
        assert!(all.iter().chain(&g.bars).all(|glyph| glyph.is_ascii()));
    }
}
