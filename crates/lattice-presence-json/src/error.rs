//! What is wrong with a payload, and at which place.

use alloc::borrow::Cow;
use core::fmt::{self, Write as _};

/// The kind of thing that is wrong with a payload.
///
/// ```
/// use lattice_presence_json::{Category, JsonMeta, from_json};
///
/// let error = from_json::<JsonMeta>("[]").unwrap_err();
/// assert_eq!(error.category(), Category::Shape);
/// assert_eq!(error.category().as_str(), "shape");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// It is not JSON: bad grammar, a bad escape, a lone surrogate, bytes that are not
    /// UTF-8, or input that ends too early or too late.
    Syntax,
    /// It is JSON, but a field is missing or has the wrong type, or a replica name is
    /// empty.
    Shape,
    /// A clock is outside of the range for its place.
    Clock,
    /// A value whose dot neither the context nor the clouds cover.
    Coverage,
    /// A dot, a replica or a known field that comes twice.
    Duplicate,
    /// Metadata that is nested too deep.
    Depth,
    /// More of something than the decoder's limits allow.
    Limit,
    /// Metadata is JSON, but does not fit the caller's metadata type.
    Meta,
    /// A message of another version, which this version cannot read. Its
    /// [header](crate::Decoder::message_header) can be read.
    Version,
}

impl Category {
    /// The category as one lower-case word, for logs and metrics.
    ///
    /// ```
    /// assert_eq!(lattice_presence_json::Category::Clock.as_str(), "clock");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Shape => "shape",
            Self::Clock => "clock",
            Self::Coverage => "coverage",
            Self::Duplicate => "duplicate",
            Self::Depth => "depth",
            Self::Limit => "limit",
            Self::Meta => "meta",
            Self::Version => "version",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a payload is refused: category, position and path.
///
/// A payload is never decoded in part. If you get this error, you get nothing else. It is
/// one word wide, so that results stay small.
///
/// ```
/// use lattice_presence_json::{Category, JsonMeta, from_json};
///
/// let payload = r#"{"replica":"n","context":{},"clouds":{},"values":[
///   {"tag":{"replica":"n","clock":0},"entry":{"topic":"t","key":"k","pid":"p","meta":{}}}]}"#;
/// let error = from_json::<JsonMeta>(payload).unwrap_err();
///
/// assert_eq!(error.category(), Category::Clock);
/// assert_eq!((error.line(), error.column()), (2, 33));
/// assert_eq!(error.path(), "values[0].tag.clock");
/// assert_eq!(
///     error.to_string(),
///     "clock: must be in 1..=9007199254740991 at values[0].tag.clock (line 2, column 33)",
/// );
/// ```
pub struct DecodeError(Box<Details>);

struct Details {
    category: Category,
    reason: Cow<'static, str>,
    offset: usize,
    line: usize,
    column: usize,
    /// The segments of the path, the innermost first.
    segments: Vec<Segment>,
    path: String,
    source: Option<serde_json::Error>,
}

/// One step of a path into the payload.
pub(crate) enum Segment {
    Field(&'static str),
    Name(Box<str>),
    Index(usize),
}

impl Segment {
    /// A replica name. A long one is cut, because it would fill the logs.
    pub(crate) fn name(name: &str) -> Self {
        const SHOWN: usize = 64;
        match name.char_indices().nth(SHOWN) {
            Some((cut, _)) => Self::Name(format!("{}…", &name[..cut]).into()),
            None => Self::Name(name.into()),
        }
    }
}

impl DecodeError {
    /// An error at a byte offset; [`located`](Self::located) completes it.
    #[cold]
    pub(crate) fn new(
        category: Category,
        offset: usize,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Details {
            category,
            reason: reason.into(),
            offset,
            line: 0,
            column: 0,
            segments: Vec::new(),
            path: String::new(),
            source: None,
        }))
    }

    #[cold]
    pub(crate) fn syntax(offset: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Category::Syntax, offset, reason)
    }

    #[cold]
    pub(crate) fn meta(offset: usize, source: serde_json::Error) -> Self {
        let mut error = Self::new(Category::Meta, offset, "not of the metadata type");
        error.0.source = Some(source);
        error
    }

    /// The same error, with one more outer segment of the path.
    #[cold]
    pub(crate) fn within(mut self, segment: Segment) -> Self {
        self.0.segments.push(segment);
        self
    }

    #[cold]
    pub(crate) fn within_field(self, field: &'static str) -> Self {
        self.within(Segment::Field(field))
    }

    #[cold]
    pub(crate) fn within_index(self, index: usize) -> Self {
        self.within(Segment::Index(index))
    }

    /// Turns the offset into line and column, and the segments into a path.
    #[cold]
    pub(crate) fn located(mut self, input: &[u8]) -> Self {
        let before = &input[..self.0.offset.min(input.len())];
        let line_start = before
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |i| i + 1);
        self.0.line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        self.0.column = before[line_start..]
            .iter()
            .filter(|&&b| !is_continuation(b))
            .count()
            + 1;
        self.0.path = rendered(&self.0.segments);
        self
    }

    /// What kind of thing is wrong.
    ///
    /// ```
    /// use lattice_presence_json::{Category, JsonMeta, from_json};
    ///
    /// let error = from_json::<JsonMeta>("{").unwrap_err();
    /// assert_eq!(error.category(), Category::Syntax);
    /// ```
    #[must_use]
    pub fn category(&self) -> Category {
        self.0.category
    }

    /// The line of the input, counted from 1.
    ///
    /// ```
    /// let error = lattice_presence_json::digest_from_json("{\n!").unwrap_err();
    /// assert_eq!(error.line(), 2);
    /// ```
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The character of the line, counted from 1.
    ///
    /// ```
    /// let error = lattice_presence_json::digest_from_json("{ !").unwrap_err();
    /// assert_eq!(error.column(), 3);
    /// ```
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// The place in the payload, such as `values[17].tag.clock` or `clouds["node-a"][3]`.
    /// It is empty for the whole payload. Long replica names are cut.
    ///
    /// ```
    /// let payload = r#"{"node-a":{"context":3,"cloud":[],"fingerprint":7}}"#;
    /// let error = lattice_presence_json::digest_from_json(payload).unwrap_err();
    /// assert_eq!(error.path(), r#"["node-a"].fingerprint"#);
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

fn rendered(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments.iter().rev() {
        let written = match segment {
            Segment::Field(field) if path.is_empty() => write!(path, "{field}"),
            Segment::Field(field) => write!(path, ".{field}"),
            Segment::Name(name) => write!(path, "[{name:?}]"),
            Segment::Index(index) => write!(path, "[{index}]"),
        };
        debug_assert!(written.is_ok(), "a string takes whatever is written to it");
    }
    path
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &self.0;
        write!(f, "{}: {}", details.category, details.reason)?;
        if !details.path.is_empty() {
            write!(f, " at {}", details.path)?;
        }
        write!(f, " (line {}, column {})", details.line, details.column)
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({:?})", self.to_string())
    }
}

impl core::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}
