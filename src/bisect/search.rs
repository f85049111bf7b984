//! The search.

use std::path::Path;
use std::process::Command;

use super::git::{GitError, Next, Tree, next};
use super::repeats::{TRIALS, needed};
use crate::gate::statistics::Rate;

/// What is searched, and how a revision is tried.
pub struct Search<'a> {
    /// The tree.
    pub tree: &'a Path,
    /// A revision that is good.
    pub good: &'a str,
    /// One that is not.
    pub bad: &'a str,
    /// Shell command that builds the tree.
    pub build: &'a str,
    /// Most passes in a row before a revision is called good.
    pub most: u32,
    /// Runs the scenario once: 0 good, 1 bad, everything else cannot tell.
    pub test: &'a dyn Fn() -> Command,
    /// Tells people how it goes.
    pub say: &'a dyn Fn(&str),
}

/// What a search came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first bad commit, and in one line.
    Found(String, String),
    /// One of these.
    Unclear(Vec<String>),
}

/// Why a search came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The good revision is bad.
    #[error("{0} is not good: the scenario fails there too")]
    GoodIsBad(String),
    /// The bad revision is good.
    #[error("{0} is not bad: the scenario passed there {1} times in a row")]
    BadIsGood(String, u32),
    /// An end of the range cannot be tested.
    #[error("{0} cannot be tested: {1}")]
    End(String, String),
    /// A command cannot be started.
    #[error("cannot start {0}: {1}")]
    Start(String, std::io::Error),
}

/// What a revision is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trial {
    Good,
    Bad,
    CannotTell(String),
}

impl Search<'_> {
    /// Builds what is checked out. `None` where that works.
    fn build(&self) -> Result<Option<String>, SearchError> {
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", self.build]).current_dir(self.tree).output();
        let output = output.map_err(|error| SearchError::Start("sh".into(), error))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().last().unwrap_or_default().to_owned();
        Ok((!output.status.success()).then(|| format!("it does not build: {last}")))
    }

    /// Runs the scenario until it fails or has passed `passes` times.
    fn try_out(&self, passes: u32) -> Result<Trial, SearchError> {
        if let Some(why) = self.build()? {
            return Ok(Trial::CannotTell(why));
        }
        for _ in 0..passes {
            match self.once()? {
                Trial::Good => {}
                other => return Ok(other),
            }
        }
        Ok(Trial::Good)
    }

    fn once(&self) -> Result<Trial, SearchError> {
        let status = (self.test)().status();
        let status = status.map_err(|error| SearchError::Start("the scenario".into(), error))?;
        Ok(match status.code() {
            Some(0) => Trial::Good,
            Some(1) => Trial::Bad,
            _ => Trial::CannotTell(format!("the run ended with {status}")),
        })
    }

    /// How often the bad revision fails, and so how often others must pass.
    fn calibrate(&self) -> Result<u32, SearchError> {
        if let Some(why) = self.build()? {
            return Err(SearchError::End(self.bad.to_owned(), why));
        }
        let (mut failures, mut trials) = (0, 0);
        while trials < TRIALS || failures == 0 && trials < self.most {
            match self.once()? {
                Trial::Bad => failures += 1,
                Trial::Good => {}
                Trial::CannotTell(why) => return Err(SearchError::End(self.bad.to_owned(), why)),
            }
            trials += 1;
        }
        if failures == 0 {
            return Err(SearchError::BadIsGood(self.bad.to_owned(), trials));
        }
        let passes = needed(failures, trials, self.most);
        let rate = Rate::new(failures, trials);
        (self.say)(&format!("{} fails {rate}: good means {passes} passes in a row", self.bad));
        Ok(passes)
    }
}

/// Finds the first bad commit. The tree is left at the revision where it was.
///
/// # Errors
/// When an end of the range is not what it is said to be, or git or a command fails.
pub fn find(search: &Search) -> Result<Verdict, SearchError> {
    let tree = Tree(search.tree);
    let (good, bad) = (tree.commit(search.good)?, tree.commit(search.bad)?);
    tree.git(&["bisect", "start", "--no-checkout"])?;
    tree.git(&["bisect", "reset"])?;
    let outcome = within(search, &tree, &good, &bad);
    // However it ended, the tree goes back; the first error is the one to tell.
    let reset = tree.git(&["bisect", "reset"]);
    let verdict = outcome?;
    reset?;
    Ok(verdict)
}

fn within(search: &Search, tree: &Tree, good: &str, bad: &str) -> Result<Verdict, SearchError> {
    let mut answer = tree.git(&["bisect", "start", bad, good])?;
    tree.git(&["checkout", "--quiet", bad])?;
    let passes = search.calibrate()?;
    tree.git(&["checkout", "--quiet", good])?;
    match search.try_out(passes)? {
        Trial::Good => {}
        Trial::Bad => return Err(SearchError::GoodIsBad(search.good.to_owned())),
        Trial::CannotTell(why) => return Err(SearchError::End(search.good.to_owned(), why)),
    }
    // Back to where git wants to look.
    if next(&answer) == Next::Test {
        tree.git(&["checkout", "--quiet", "BISECT_EXPECTED_REV"])?;
    }
    loop {
        match next(&answer) {
            Next::Found(commit) => {
                let line = tree.describe(&commit);
                return Ok(Verdict::Found(commit, line));
            }
            Next::Unclear(commits) => return Ok(Verdict::Unclear(commits)),
            Next::Test => {}
        }
        let revision = tree.describe("HEAD");
        let trial = search.try_out(passes)?;
        let (word, why) = match trial {
            Trial::Good => ("good", String::new()),
            Trial::Bad => ("bad", String::new()),
            Trial::CannotTell(why) => ("skip", format!(": {why}")),
        };
        (search.say)(&format!("{word:>5}  {revision}{why}"));
        answer = tree.git(&["bisect", word])?;
    }
}

#[cfg(test)]
mod tests;
