//! What the first telling line of a report says about it.

use crate::Kind;

/// The line that names a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// The kind of the report.
    pub kind: Kind,
    /// The canonical title, without the function.
    pub title: String,
    /// The function that the line names.
    pub function: Option<String>,
    /// How to find the function to blame.
    pub recipe: Recipe,
    /// How the line relates to others of the same report.
    pub rank: Rank,
    /// What it takes to believe the line.
    pub proof: Proof,
}

/// How to find the function to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// The function that the line names, unless it is a helper; then as [`Recipe::Trace`].
    Named,
    /// The instruction pointer of the exception, then the call trace.
    Exception,
    /// The call trace.
    Trace,
    /// What the stalled processor was running.
    Stall,
    /// Where the task sleeps.
    Hung,
    /// Who takes the lock.
    Acquirer,
    /// Who allocated the object.
    Allocation,
    /// No function is to blame.
    Nobody,
}

/// How a headline relates to others of the same report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A message in front of the `WARN` or `BUG` that it causes; names the kind, not the function.
    Lead,
    /// Begins a report.
    Main,
    /// `Oops: …` and its like: the second line of a fault, a report of its own only when alone.
    Die,
    /// Part of whatever report it stands in, a report of its own only when alone.
    Note,
    /// A panic: ends the report that led to it, a report of its own only when alone.
    Panic,
}

/// What it takes to believe a headline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The line is enough.
    Line,
    /// The kernel's stamp on the line, or what [`Proof::Stack`] takes.
    Stamp,
    /// Only a stack, registers or `CPU: … PID: …` behind it show that it is a report.
    Stack,
}

impl Headline {
    /// A main headline whose function is found in the call trace.
    pub fn new(kind: Kind, title: impl Into<String>) -> Self {
        Self {
            kind,
            title: title.into(),
            function: None,
            recipe: Recipe::Trace,
            rank: Rank::Main,
            proof: Proof::Line,
        }
    }

    /// With another way to the function.
    pub fn recipe(mut self, recipe: Recipe) -> Self {
        self.recipe = recipe;
        self
    }

    /// With the function that the line names.
    pub fn function(mut self, function: Option<String>) -> Self {
        self.function = function;
        self.recipe = Recipe::Named;
        self
    }

    /// With a function to fall back on, where the recipe finds none.
    pub fn function_hint(mut self, symbol: &str) -> Self {
        self.function = symbol.contains("+0x").then(|| super::text::function(symbol)).flatten();
        self
    }

    /// With another rank.
    pub fn rank(mut self, rank: Rank) -> Self {
        self.rank = rank;
        self
    }

    /// Believed if the kernel stamped it, or with a stack behind it.
    pub fn if_stamped(mut self) -> Self {
        self.proof = Proof::Stamp;
        self
    }

    /// Believed only with a stack behind it.
    pub fn if_proved(mut self) -> Self {
        self.proof = Proof::Stack;
        self
    }
}
