//! Git, in the tree that is searched.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Why git cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It cannot be started.
    #[error("cannot start git: {0}")]
    Missing(std::io::Error),
    /// It refuses.
    #[error("git {command} in {tree}: {said}")]
    Refused {
        /// What was asked.
        command: String,
        /// Where.
        tree: PathBuf,
        /// What it said.
        said: String,
    },
}

/// A git work tree.
pub struct Tree<'a>(pub &'a Path);

/// What git wants next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// To know of the revision that it has checked out.
    Test,
    /// Nothing: this is the first bad commit.
    Found(String),
    /// Nothing: the first bad commit is one of these, none of which can be tested.
    Unclear(Vec<String>),
}

impl Tree<'_> {
    /// Runs git. Gives what it says.
    pub fn git(&self, words: &[&str]) -> Result<String, GitError> {
        let mut command = Command::new("git");
        let output = command.current_dir(self.0).args(words).env("LC_ALL", "C").output();
        let output = output.map_err(GitError::Missing)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // `git bisect` tells that only skipped commits are left with an exit code of 2.
        if output.status.success() || output.status.code() == Some(2) && words[0] == "bisect" {
            return Ok(text);
        }
        let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        let tree = self.0.to_owned();
        Err(GitError::Refused { command: words.join(" "), tree, said: said.trim().to_owned() })
    }

    /// The full name of a revision.
    pub fn commit(&self, revision: &str) -> Result<String, GitError> {
        let name = format!("{revision}^{{commit}}");
        Ok(self.git(&["rev-parse", "--verify", &name])?.trim().to_owned())
    }

    /// A commit in one line.
    pub fn describe(&self, commit: &str) -> String {
        self.git(&["log", "-1", "--format=%h %s", commit])
            .map_or_else(|_| commit.to_owned(), |text| text.trim().to_owned())
    }
}

/// What an answer of `git bisect` says.
pub fn next(answer: &str) -> Next {
    let is_commit = |word: &str| word.len() >= 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let found = answer.lines().find_map(|line| line.strip_suffix(" is the first bad commit"));
    if let Some(commit) = found {
        return Next::Found(commit.trim().to_owned());
    }
    if answer.contains("only 'skip'ped commits left") {
        let commits = answer.lines().map(str::trim).filter(|line| is_commit(line));
        return Next::Unclear(commits.map(str::to_owned).collect());
    }
    Next::Test
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_git_are_understood() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let found = format!("{commit} is the first bad commit\ncommit {commit}\n");
        assert_eq!(next(&found), Next::Found(commit.into()));
        let unclear = format!(
            "There are only 'skip'ped commits left to test.\nThe first bad commit could be any of:\n{commit}\n"
        );
        assert_eq!(next(&unclear), Next::Unclear(vec![commit.into()]));
        assert_eq!(next("Bisecting: 3 revisions left to test after this\n"), Next::Test);
    }
}
