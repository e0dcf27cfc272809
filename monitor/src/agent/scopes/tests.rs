use std::cell::RefCell;
use std::path::Path;

use super::*;
use crate::config::Config;
use crate::policy::Known;

/// A table with room for `room` rows.
struct Rows {
    room: usize,
    rows: RefCell<HashMap<u64, Scope>>,
    default: RefCell<Scope>,
}

impl Rows {
    fn new(room: usize) -> Self {
        Self {
            room,
            rows: RefCell::default(),
            default: RefCell::default(),
        }
    }

    fn sorted(&self) -> Vec<(u64, Scope)> {
        let mut rows: Vec<_> = self
            .rows
            .borrow()
            .iter()
            .map(|(id, scope)| (*id, *scope))
            .collect();
        rows.sort_by_key(|(id, _)| *id);
        rows
    }
}

impl ScopeRows for Rows {
    fn set(&self, cgroup_id: u64, scope: Scope) -> Result<(), KernelError> {
        let mut rows = self.rows.borrow_mut();
        if rows.len() >= self.room && !rows.contains_key(&cgroup_id) {
            return Err(KernelError::ScopeTableFull { limit: self.room });
        }
        rows.insert(cgroup_id, scope);
        Ok(())
    }

    fn remove(&self, cgroup_id: u64) -> Result<(), KernelError> {
        self.rows.borrow_mut().remove(&cgroup_id);
        Ok(())
    }

    fn set_default(&self, scope: Scope) -> Result<(), KernelError> {
        *self.default.borrow_mut() = scope;
        Ok(())
    }
}

fn policies(text: &str) -> Policies {
    let config = Config::parse(text, Path::new("weir.yaml")).unwrap();
    let known = Known {
        detectors: &config.detectors.catalog,
        guardrails: &[],
    };
    Policies::compile(&config.policies, &known, "node-1").unwrap()
}

/// Pods are closed, but for the one of a path that begins with `/pods/b`.
const PODS: &str = r#"
policies:
  - {name: a, workloads: {cgroup: ["/pods", "/pods/a*"]}, on_agent_down: closed}
  - {name: b, workloads: {cgroup: "/pods/a/open"}, on_bypass: deny}
"#;

fn at(id: u64, path: &str) -> (u64, Arc<Placement>) {
    (id, Arc::new(Placement::of_cgroup(path)))
}

fn all() -> Vec<(u64, Arc<Placement>)> {
    vec![
        at(1, "/"),
        at(2, "/pods"),
        at(3, "/pods/a"),
        at(4, "/pods/a/open"),
        at(5, "/pods/b"),
        at(6, "/pods/b/c"),
        at(7, "/pods-of-another"),
    ]
}

const BOTH: Scope = Scope::CLOSED.with(Scope::DENY_BYPASS);

#[test]
fn only_what_differs_from_its_ancestor_is_written() {
    let (kernel, policies) = (Rows::new(9), policies(PODS));
    let mut state = State::default();
    // Left behind by an earlier agent.
    kernel.set(99, Scope::CLOSED).unwrap();
    state.rows.insert(99, Scope::CLOSED);
    state.reset(&kernel, &policies, all());
    // `/pods/a` has the scope of `/pods`, and `/pods/b/c` that of `/pods/b`.
    assert_eq!(kernel.sorted(), [(2, Scope::CLOSED), (4, BOTH), (5, Scope::NONE)]);
    assert_eq!(state.failing(), None);
}

#[test]
fn rows_follow_the_cgroups() {
    let (kernel, policies) = (Rows::new(9), policies(PODS));
    let mut state = State::default();
    state.reset(&kernel, &policies, all());
    state.put(&kernel, &policies, 8, &Placement::of_cgroup("/pods/new"));
    state.put(&kernel, &policies, 9, &Placement::of_cgroup("/pods/a/new"));
    assert_eq!(
        kernel.sorted(),
        [(2, Scope::CLOSED), (4, BOTH), (5, Scope::NONE), (8, Scope::NONE)]
    );
    state.forget(&kernel, 8);
    state.forget(&kernel, 4);
    state.forget(&kernel, 1_000);
    assert_eq!(kernel.sorted(), [(2, Scope::CLOSED), (5, Scope::NONE)]);
    // A path that is used again before its removal was reported.
    state.put(&kernel, &policies, 10, &Placement::of_cgroup("/pods/b"));
    assert_eq!(kernel.sorted(), [(2, Scope::CLOSED), (10, Scope::NONE)]);
    state.forget(&kernel, 5);
    assert_eq!(kernel.sorted(), [(2, Scope::CLOSED), (10, Scope::NONE)]);
}

#[test]
fn what_is_learnt_of_a_cgroup_moves_the_rows_below_it() {
    let policies = policies("policies: [{name: a, workloads: {namespace: billing}, on_agent_down: closed}]");
    let kernel = Rows::new(9);
    let mut state = State::default();
    let named = |path: &str| Placement {
        pod: Some(Arc::new(crate::identity::Pod {
            namespace: Some("billing".into()),
            ..Default::default()
        })),
        ..Placement::of_cgroup(path)
    };
    state.reset(
        &kernel,
        &policies,
        vec![at(1, "/"), at(2, "/pod"), at(3, "/pod/c")],
    );
    assert_eq!(kernel.sorted(), []);
    state.put(&kernel, &policies, 3, &named("/pod/c"));
    assert_eq!(kernel.sorted(), [(3, Scope::CLOSED)]);
    state.put(&kernel, &policies, 2, &named("/pod"));
    assert_eq!(kernel.sorted(), [(2, Scope::CLOSED)]);
}

#[test]
fn a_reload_changes_default_and_rows() {
    let kernel = Rows::new(9);
    let mut state = State::default();
    state.reset(&kernel, &policies(PODS), all());
    let everyone = policies("policies: [{name: a, on_agent_down: closed}]");
    state.reset(&kernel, &everyone, all());
    assert_eq!(*kernel.default.borrow(), Scope::CLOSED);
    assert_eq!(kernel.sorted(), []);
    state.matches = Match::AllTls;
    state.reset(&kernel, &policies(""), all());
    assert_eq!(*kernel.default.borrow(), Scope::ALL_TLS);
}

#[test]
fn a_full_table_is_said_and_tried_again() {
    let (mut kernel, policies) = (Rows::new(1), policies(PODS));
    let mut state = State::default();
    state.reset(&kernel, &policies, all());
    assert_eq!(kernel.sorted(), [(2, Scope::CLOSED)]);
    let (failing, why) = state.failing().unwrap();
    // What is below one that failed does not have its scope, and would need a row of its own.
    assert_eq!(failing, 3);
    assert!(why.starts_with("1 cgroups have a scope"), "{why}");
    state.retry(&kernel);
    assert_eq!(
        state.errors(),
        [("scope_table_full", 3), ("scope_not_written", 0)]
    );
    assert_eq!(state.inherited("/pods/b/c"), Scope::CLOSED);
    kernel.room = 9;
    state.retry(&kernel);
    assert_eq!(kernel.sorted(), [(2, Scope::CLOSED), (4, BOTH), (5, Scope::NONE)]);
    assert_eq!(state.failing(), None);
    assert_eq!(state.inherited("/pods/b/c"), Scope::NONE);
}
