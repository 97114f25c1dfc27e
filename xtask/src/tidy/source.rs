//! Just enough of Rust's grammar to tell code from comments, literals and tests.

/// The code of a file: comments and the contents of literals are blanked, line
/// breaks stay, so that line numbers hold.
pub(super) fn code_of(text: &str) -> String {
    let mut lexer = Lexer {
        text: text.chars().collect(),
        at: 0,
        code: String::with_capacity(text.len()),
    };
    while lexer.at < lexer.text.len() {
        lexer.step();
    }
    lexer.code
}

/// The part of a file's code before a `#[cfg(test)] mod tests { … }` that ends it.
pub(super) fn production(code: &str) -> &str {
    let Some(start) = trailing_tests(code) else {
        return code;
    };
    &code[..start]
}

fn trailing_tests(code: &str) -> Option<usize> {
    let start = code.rfind("\n#[cfg(test)]\n")? + 1;
    let mut lines = code[start..]
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    // Other attributes may stand between the `cfg` and the module.
    lines.find(|line| *line == "mod tests {")?;
    let closes_at_the_end = lines.position(|line| line == "}").is_some() && lines.next().is_none();
    closes_at_the_end.then_some(start)
}

/// Whether `line` holds `needle` as whole words: `Instant` is not in `Instantly`.
pub(super) fn names(line: &str, needle: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(needle).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + needle.len()..].chars().next();
        let starts = !needle.starts_with(is_word) || !before.is_some_and(is_word);
        let ends = !needle.ends_with(is_word) || !after.is_some_and(is_word);
        starts && ends
    })
}

struct Lexer {
    text: Vec<char>,
    at: usize,
    code: String,
}

impl Lexer {
    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            (Some('/'), Some('/')) => self.blank_while(|lexer| lexer.peek(0) != Some('\n')),
            (Some('/'), Some('*')) => self.block_comment(),
            (Some('"'), _) => self.string(),
            (Some('\''), _) => self.char_or_lifetime(),
            (Some('r'), Some('"' | '#')) if self.starts_raw_string() => self.raw_string(),
            (Some(_), _) => self.keep(),
            (None, _) => {}
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.code.extend(self.peek(0));
        self.at += 1;
    }

    fn blank(&mut self) {
        if let Some(c) = self.peek(0) {
            self.code.push(if c == '\n' { '\n' } else { ' ' });
        }
        self.at += 1;
    }

    fn blank_while(&mut self, more: impl Fn(&Self) -> bool) {
        while self.at < self.text.len() && more(self) {
            self.blank();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_u32;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.blank();
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.blank();
                }
                (None, _) => return,
                _ => {}
            }
            self.blank();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.keep();
        while let Some(c) = self.peek(0)
            && c != '"'
        {
            self.blank();
            if c == '\\' {
                self.blank();
            }
        }
        self.keep();
    }

    fn char_or_lifetime(&mut self) {
        let is_char = self.peek(1) == Some('\\') || self.peek(2) == Some('\'');
        self.keep();
        if !is_char {
            return;
        }
        if self.peek(0) == Some('\\') {
            self.blank();
        }
        self.blank();
        self.blank_while(|lexer| lexer.peek(0) != Some('\''));
        self.keep();
    }

    /// `r"…"` and `r#"…"#`, but neither `r#type` nor the end of a longer name.
    fn starts_raw_string(&self) -> bool {
        let quote = (1..).find(|&ahead| self.peek(ahead) != Some('#'));
        let follows_name = self.at > 0 && {
            let before = self.text[self.at - 1];
            // `br"…"` and `cr"…"` are raw strings as well.
            (before.is_alphanumeric() || before == '_') && !matches!(before, 'b' | 'c')
        };
        !follows_name && quote.is_some_and(|ahead| self.peek(ahead) == Some('"'))
    }

    fn raw_string(&mut self) {
        self.keep();
        let mut hashes = 0;
        while self.peek(0) == Some('#') {
            hashes += 1;
            self.keep();
        }
        self.keep();
        self.blank_while(|lexer| {
            let closes = lexer.peek(0) == Some('"')
                && (1..=hashes).all(|ahead| lexer.peek(ahead) == Some('#'));
            !closes
        });
        for _ in 0..=hashes {
            self.keep();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x \" y") + g"#, r#"f("      ") + g"#),
            (r###"f(r#"x " y"#) + g"###, r###"f(r#"     "#) + g"###),
            (r#"br"x" r"#, r#"br" " r"#),
            (r"c == '\'' || '\u{1F}' == c", r"c == '  ' || '      ' == c"),
            ("'a' 'static <'a>", "' ' 'static <'a>"),
            ("r#type + for_r", "r#type + for_r"),
            ("\"unclosed\nstring", "\"        \n      "),
        ] {
            assert_eq!(code_of(text), code, "{text}");
        }
    }

    #[test]
    fn only_a_test_module_at_the_end_is_cut() {
        let module = "\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn t() {}\n}\n";
        assert_eq!(production(&format!("a{module}")), "a\n");
        let followed = format!("a{module}fn more() {{}}\n");
        assert_eq!(production(&followed), followed);
        let elsewhere = "a\n#[cfg(test)]\nmod tests;\n";
        assert_eq!(production(elsewhere), elsewhere);
    }

    #[test]
    fn names_are_whole_words() {
        assert!(names("let t: Instant = x;", "Instant"));
        assert!(names("use std::time::Duration;", "std::time"));
        assert!(names("rand::random()", "rand::"));
        assert!(!names("Instantly", "Instant"));
        assert!(!names("operand::x", "rand::"));
        assert!(!names("std::timer", "std::time"));
    }
}
