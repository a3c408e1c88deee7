//! What readers find in a document: problems and places.

use std::cell::{Cell, RefCell};

use crate::{NodePath, Problem, SourceMap, rules};

/// The most problems that are kept: nobody reads more, and memory would grow with the document.
const MAX_PROBLEMS: usize = 1000;

/// What readers find in a document.
#[derive(Default)]
pub(crate) struct Notes {
    problems: RefCell<Vec<Problem>>,
    withheld: Cell<usize>,
    pub(super) source: RefCell<SourceMap>,
}

impl Notes {
    /// Without notes, with room for some places.
    pub(crate) fn with_capacity(places: usize) -> Self {
        Self { source: RefCell::new(SourceMap::with_capacity(places)), ..Self::default() }
    }

    pub(crate) fn add(&self, problem: Problem) {
        if self.is_full() {
            self.withhold();
        } else {
            self.problems.borrow_mut().push(problem);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.problems.borrow().len() >= MAX_PROBLEMS
    }

    pub(super) fn withhold(&self) {
        self.withheld.set(self.withheld.get() + 1);
    }

    /// Everything found, in the order of the text.
    pub(crate) fn finish(self, root: &str) -> (Vec<Problem>, SourceMap) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        if let (withheld @ 1.., Some(last)) = (self.withheld.get(), problems.last()) {
            let message = format!("there are {withheld} more problems");
            let (span, path) = (last.span.clone(), NodePath::root(root));
            let (code, severity) = (rules::MORE_PROBLEMS, rules::severity(rules::MORE_PROBLEMS));
            problems.push(Problem { code, severity, message, help: None, fix: Vec::new(), path, span });
        }
        (problems, self.source.into_inner())
    }
}
