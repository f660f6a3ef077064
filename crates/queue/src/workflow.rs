//! Tasks that wait for other tasks, enqueued together.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::columns::{Columns, given};
use crate::enqueue::refuse_unknown;
use crate::{Error, NewTask};

/// For how many others a task waits at most.
pub const PARENTS_MAX: usize = 1_000;

/// How many waits one workflow has at most.
pub const WAITS_PER_CALL_MAX: usize = 200_000;

// Nobody sees the tasks before all of them and all waits are there, so none can end unnoticed.
const WORKFLOW: &str = concat!(
    "-- queue::workflow::enqueue\n",
    given!(", $17::bool[]", ", any_of"),
    ", edge as materialized (
    select *
      from unnest($18::uuid[], $19::uuid[], $20::bool[])
           with ordinality
           as edge (task_id, waits_for, proceed, position)
), waiting as (
    select task_id, array_agg(waits_for order by position) as parents, count(*)::integer as pending
      from edge
     group by task_id
), inserted as (
    insert into task (id, queue, kind, priority, state, run_at, attempts_max, tenant, correlation, traceparent,
                      created_by, args, any_of, parents, pending, followed)
    select id, queue, kind, priority,
           case when waiting.task_id is not null then 'WAITING' when run_at > now() then 'DELAYED' else 'READY' end,
           run_at, attempts_max, tenant, correlation, traceparent, created_by, args, any_of, parents,
           coalesce(pending, 0), id in (select waits_for from edge)
      from given
      left join waiting on waiting.task_id = given.id
     where not exists (select from unknown)
), linked as (
    insert into task_dependency (task_id, waits_for, proceed)
    select task_id, waits_for, proceed from edge where not exists (select from unknown)
), woken as (
    select pg_notify('queue_ready', wanted.name) as done
      from unnest($15::text[]) as wanted (name)
     where not exists (select from unknown)
)
select what, name from unknown
union all
select null, null from woken where done is null"
);

/// Describes tasks that wait for each other, by names that count within the workflow only.
///
/// A task without waits begins at once. One whose wait is in vain is cancelled, and so is what waits for it. Results of
/// those a task has waited for are found by [`crate::Job::parents`] and [`crate::result`]. Tasks of a workflow have no
/// keys, not even where the kind makes keys of arguments.
#[derive(Debug, Clone, Default)]
pub struct Workflow {
    names: Vec<String>,
    tasks: Vec<NewTask>,
    waits: Vec<Wait>,
}

#[derive(Debug, Clone)]
struct Wait {
    child: String,
    parent: String,
    on: On,
}

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// Success, of this one and all others.
    Success,
    /// Success, of this one or another.
    AnySuccess,
    /// The end, however it comes.
    End,
}

impl Workflow {
    /// Creates a workflow without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task under a name.
    #[must_use]
    pub fn task(mut self, name: impl Into<String>, task: NewTask) -> Self {
        self.names.push(name.into());
        self.tasks.push(task);
        self
    }

    /// Lets a task wait until all of these have succeeded.
    #[must_use]
    pub fn after(self, name: &str, parents: &[impl AsRef<str>]) -> Self {
        self.wait(name, parents, On::Success)
    }

    /// Lets a task wait until the first of these has succeeded.
    #[must_use]
    pub fn after_any(self, name: &str, parents: &[impl AsRef<str>]) -> Self {
        self.wait(name, parents, On::AnySuccess)
    }

    /// Lets a task wait until all of these have ended, whether they succeeded or not.
    #[must_use]
    pub fn even_if_failed(self, name: &str, parents: &[impl AsRef<str>]) -> Self {
        self.wait(name, parents, On::End)
    }

    fn wait(mut self, child: &str, parents: &[impl AsRef<str>], on: On) -> Self {
        let wait = |parent: &str| Wait { child: child.to_owned(), parent: parent.to_owned(), on };
        self.waits.extend(parents.iter().map(|parent| wait(parent.as_ref())));
        self
    }

    fn check(&self) -> Result<Graph, Error> {
        if self.waits.len() > WAITS_PER_CALL_MAX {
            return Err(Error::TooMany { count: self.waits.len(), max: WAITS_PER_CALL_MAX });
        }
        let mut positions = HashMap::with_capacity(self.names.len());
        for (position, name) in self.names.iter().enumerate() {
            if positions.insert(name.as_str(), position).is_some() {
                return Err(Error::Duplicate { name: name.clone() });
            }
        }
        let position = |name: &String| {
            let advice = "name only tasks of the workflow";
            positions.get(name.as_str()).copied().ok_or(Error::Unusable { name: name.clone(), advice })
        };
        let mut graph = Graph { parents: vec![BTreeMap::new(); self.names.len()] };
        for wait in &self.waits {
            let (child, parent) = (position(&wait.child)?, position(&wait.parent)?);
            if let Some(parents) = graph.parents.get_mut(child) {
                parents.insert(parent, wait.on);
            }
        }
        for (name, (task, parents)) in self.names.iter().zip(self.tasks.iter().zip(&graph.parents)) {
            if let Some(advice) = mistake(task, parents) {
                return Err(Error::Unusable { name: name.clone(), advice });
            }
        }
        match graph.on_a_cycle().and_then(|position| self.names.get(position)) {
            Some(name) => Err(Error::Cycle { name: name.clone() }),
            None => Ok(graph),
        }
    }
}

fn mistake(task: &NewTask, parents: &BTreeMap<usize, On>) -> Option<&'static str> {
    let any = parents.values().any(|on| *on == On::AnySuccess);
    let refused = [
        (
            task.key.is_some(),
            "a task of a workflow has no key; give the key to a task that enqueues the workflow",
        ),
        (
            any && parents.values().any(|on| *on != On::AnySuccess),
            "let a task wait for all or for any, not for both",
        ),
        (parents.len() > PARENTS_MAX, "let a task wait for at most 1,000 others"),
    ];
    refused.into_iter().find_map(|(wrong, advice)| wrong.then_some(advice))
}

/// For which others each task waits, by position.
struct Graph {
    parents: Vec<BTreeMap<usize, On>>,
}

impl Graph {
    /// Takes away tasks whose parents are gone until none is left, or only those that wait for each other.
    fn on_a_cycle(&self) -> Option<usize> {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.parents.len()];
        for (child, parents) in self.parents.iter().enumerate() {
            for parent in parents.keys() {
                if let Some(children) = children.get_mut(*parent) {
                    children.push(child);
                }
            }
        }
        let mut pending: Vec<usize> = self.parents.iter().map(BTreeMap::len).collect();
        let mut free: Vec<usize> = (0..pending.len()).filter(|task| pending.get(*task) == Some(&0)).collect();
        while let Some(task) = free.pop() {
            for child in children.get(task).into_iter().flatten() {
                let Some(left) = pending.get_mut(*child) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0 {
                    free.push(*child);
                }
            }
        }
        self.cycle_among(&pending)
    }

    /// Walks from one that is left to those it waits for: it comes round, and never leaves the cycle it meets.
    fn cycle_among(&self, pending: &[usize]) -> Option<usize> {
        let is_left = |task: &usize| pending.get(*task).is_some_and(|left| *left > 0);
        let mut task = (0..pending.len()).find(is_left)?;
        let mut met = HashSet::new();
        while met.insert(task) {
            task = self.parents.get(task)?.keys().copied().find(is_left)?;
        }
        Some(task)
    }

    fn columns(&self, ids: &[Uuid]) -> Waits {
        let mut waits = Waits::default();
        for (child, parents) in ids.iter().zip(&self.parents) {
            waits.any_of.push(parents.values().any(|on| *on == On::AnySuccess));
            for (parent, on) in parents {
                let Some(parent) = ids.get(*parent) else { continue };
                waits.children.push(*child);
                waits.parents.push(*parent);
                waits.proceed.push(*on == On::End);
            }
        }
        waits
    }
}

/// Waits, column by column; whether any success is enough, task by task.
#[derive(Default)]
struct Waits {
    any_of: Vec<bool>,
    children: Vec<Uuid>,
    parents: Vec<Uuid>,
    proceed: Vec<bool>,
}

/// Enqueues a workflow in one statement; answers the id of each task by its name.
///
/// It is limited like a call of [`crate::enqueue`]; a workflow that is larger grows from within: a handler may enqueue the
/// next part of it.
///
/// # Errors
/// [`Error::Cycle`], [`Error::Duplicate`], [`Error::Unusable`], and those of [`crate::enqueue`]; nothing was inserted then.
pub async fn enqueue_workflow<C>(client: &C, workflow: &Workflow) -> Result<BTreeMap<String, Uuid>, Error>
where
    C: GenericClient + Sync,
{
    let graph = workflow.check()?;
    if workflow.tasks.is_empty() {
        return Ok(BTreeMap::new());
    }
    let columns = Columns::of(&workflow.tasks)?;
    let waits = graph.columns(&columns.ids);
    let mut params = columns.params();
    params.push((&waits.any_of, Type::BOOL_ARRAY));
    params.push((&waits.children, Type::UUID_ARRAY));
    params.push((&waits.parents, Type::UUID_ARRAY));
    params.push((&waits.proceed, Type::BOOL_ARRAY));
    client.query_typed(WORKFLOW, &params).await?.iter().try_for_each(refuse_unknown)?;
    Ok(workflow.names.iter().cloned().zip(columns.ids.iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(names: &[&str]) -> Workflow {
        names.iter().fold(Workflow::new(), |workflow, name| workflow.task(*name, NewTask::new("a", &())))
    }

    #[test]
    fn a_task_on_the_cycle_is_named_and_none_that_only_waits_for_it() {
        let with = |last: &str| {
            workflow(&["outside", "a", "b", "c"])
                .after("outside", &["a"])
                .after("a", &["b"])
                .after("b", &["c"])
                .after_any("c", &[last])
                .check()
        };
        assert!(matches!(with("a"), Err(Error::Cycle { name }) if name != "outside"));
        assert!(matches!(with("c"), Err(Error::Cycle { name }) if name == "c"));
    }

    #[test]
    fn a_diamond_is_no_cycle() {
        let diamond = workflow(&["end", "left", "right", "begin"])
            .after("end", &["left", "right", "left"])
            .after("left", &["begin"])
            .after("right", &["begin"]);
        let graph = diamond.check().unwrap();
        assert_eq!(graph.parents.iter().map(BTreeMap::len).collect::<Vec<_>>(), [2, 1, 1, 0]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |workflow: Workflow| workflow.check().err().unwrap().to_string();
        assert_eq!(refused(workflow(&["a", "a"])), "a is registered twice");
        assert_eq!(refused(workflow(&["a"]).after("a", &["b"])), "b: name only tasks of the workflow");
        let both = workflow(&["a", "b", "c"]).after("a", &["b"]).after_any("a", &["c"]);
        assert_eq!(refused(both), "a: let a task wait for all or for any, not for both");
        let keyed = Workflow::new().task("a", NewTask::new("a", &()).unique_key("k"));
        assert!(refused(keyed).starts_with("a: a task of a workflow has no key"));
        let many: Vec<String> = (0..=PARENTS_MAX).map(|number| number.to_string()).collect();
        let names: Vec<&str> = many.iter().map(String::as_str).chain(["last"]).collect();
        assert_eq!(
            refused(workflow(&names).after("last", &many)),
            "last: let a task wait for at most 1,000 others"
        );
    }
}
