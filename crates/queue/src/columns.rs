//! The tasks of one call, column by column.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio_postgres::types::{Json, ToSql, Type};
use uuid::Uuid;

use crate::enqueue::{TASKS_PER_CALL_MAX, new_id};
use crate::worker::millis;
use crate::{Error, NewTask};

/// Reads the columns back into rows, and says which names are unknown. Statements go on with their own parameters at $17.
///
/// A column that says nothing is an empty array, which `unnest` fills up with nulls; a word that all tasks share is
/// sent once.
macro_rules! given {
    ($more_types:literal, $more_names:literal) => {
        concat!(
            "with given as (
    select id, coalesce(queue, $3::text) as queue, coalesce(kind, $5::text) as kind, coalesce(priority, 0) as priority,
           coalesce(run_at, now() + coalesce(delay_ms, 0) * interval '1 millisecond') as run_at,
           attempts_max, tenant, correlation, traceparent, created_by, args, position",
            $more_names,
            "
      from unnest($1::uuid[], $2::text[], $4::text[], $6::int2[], $7::timestamptz[], $8::int8[], $9::int4[],
                  $10::uuid[], $11::uuid[], $12::text[], $13::text[], $14::jsonb[]",
            $more_types,
            ")
           with ordinality
           as given (id, queue, kind, priority, run_at, delay_ms, attempts_max,
                     tenant, correlation, traceparent, created_by, args",
            $more_names,
            ", position)
), unknown as (
    select 'QUEUE' as what, wanted.name
      from unnest($15::text[]) as wanted (name)
     where not exists (select from task_queue where task_queue.name = wanted.name)
    union all
    select 'KIND', wanted.name
      from unnest($16::text[]) as wanted (name)
     where not exists (select from task_kind where task_kind.name = wanted.name)
)"
        )
    };
}
pub(crate) use given;

pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// What every statement that inserts tasks is given.
pub(crate) struct Columns<'a> {
    pub(crate) ids: Vec<Uuid>,
    queues: Names<'a>,
    kinds: Names<'a>,
    priorities: Vec<i16>,
    run_ats: Vec<Option<Timestamp>>,
    delays: Vec<Option<i64>>,
    attempts: Vec<Option<i32>>,
    tenants: Vec<Option<Uuid>>,
    correlations: Vec<Option<Uuid>>,
    traceparents: Vec<Option<&'a str>>,
    creators: Vec<Option<&'a str>>,
    args: Vec<Json<&'a RawValue>>,
}

/// A column of names, most often the same in every row.
struct Names<'a> {
    each: Vec<&'a str>,
    common: Option<&'a str>,
    distinct: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn of(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let distinct: Vec<&str> = names.clone().collect::<BTreeSet<_>>().into_iter().collect();
        match *distinct {
            [common] => Self { each: Vec::new(), common: Some(common), distinct },
            _ => Self { each: names.collect(), common: None, distinct },
        }
    }
}

impl<'a> Columns<'a> {
    /// Refuses what no table would take, before anything is sent.
    pub(crate) fn of(tasks: &'a [NewTask]) -> Result<Self, Error> {
        let count = tasks.len();
        if count > TASKS_PER_CALL_MAX {
            return Err(Error::TooMany { count, max: TASKS_PER_CALL_MAX });
        }
        for task in tasks {
            if let Some(advice) = task.mistake() {
                return Err(Error::Unusable { name: task.kind.clone(), advice });
            }
        }
        let urgent = tasks.iter().any(|task| task.priority != 0);
        Ok(Self {
            ids: tasks.iter().map(|_| new_id()).collect(),
            queues: Names::of(tasks.iter().map(|task| task.queue.as_str())),
            kinds: Names::of(tasks.iter().map(|task| task.kind.as_str())),
            priorities: if urgent { tasks.iter().map(|task| task.priority).collect() } else { Vec::new() },
            run_ats: column(tasks, |task| task.run_at),
            delays: column(tasks, |task| task.delay.map(millis)),
            attempts: column(tasks, |task| task.attempts_max),
            tenants: column(tasks, |task| task.tenant),
            correlations: column(tasks, |task| task.correlation),
            traceparents: column(tasks, |task| task.traceparent.as_deref()),
            creators: column(tasks, |task| task.created_by.as_deref()),
            args: tasks.iter().map(args_of).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn params(&self) -> Vec<Param<'_>> {
        vec![
            (&self.ids, Type::UUID_ARRAY),
            (&self.queues.each, Type::TEXT_ARRAY),
            (&self.queues.common, Type::TEXT),
            (&self.kinds.each, Type::TEXT_ARRAY),
            (&self.kinds.common, Type::TEXT),
            (&self.priorities, Type::INT2_ARRAY),
            (&self.run_ats, Type::TIMESTAMPTZ_ARRAY),
            (&self.delays, Type::INT8_ARRAY),
            (&self.attempts, Type::INT4_ARRAY),
            (&self.tenants, Type::UUID_ARRAY),
            (&self.correlations, Type::UUID_ARRAY),
            (&self.traceparents, Type::TEXT_ARRAY),
            (&self.creators, Type::TEXT_ARRAY),
            (&self.args, Type::JSONB_ARRAY),
            (&self.queues.distinct, Type::TEXT_ARRAY),
            (&self.kinds.distinct, Type::TEXT_ARRAY),
        ]
    }
}

/// A column that may say nothing at all.
pub(crate) fn column<'a, T>(tasks: &'a [NewTask], cell: impl Fn(&'a NewTask) -> Option<T>) -> Vec<Option<T>> {
    let cells: Vec<Option<T>> = tasks.iter().map(cell).collect();
    if cells.iter().all(Option::is_none) { Vec::new() } else { cells }
}

/// The arguments as they are sent.
pub(crate) fn args_of(task: &NewTask) -> Result<Json<&RawValue>, Error> {
    match &task.args {
        Ok(args) => Ok(Json(args)),
        Err(source) => Err(Error::Args { kind: task.kind.clone(), source: source.clone() }),
    }
}
