//! A kind of task with the type of its arguments, known to who enqueues it and to who runs it.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Failure, Job, Kind, NewTask};

/// Joins the name of a kind, its queue and the type of its arguments, so that both sides agree when they are compiled.
///
/// ```
/// # use queue::{Kind, NewTask, TaskType};
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Greeting { name: String }
///
/// const GREET: TaskType<Greeting> = TaskType::new("greet", "email");
///
/// let task: NewTask = GREET.task(&Greeting { name: "Ada".to_owned() });
/// let kind: Kind = GREET.kind(|_job, greeting| async move { Ok(greeting.name.len()) });
/// ```
#[derive(Debug)]
pub struct TaskType<A> {
    name: &'static str,
    queue: &'static str,
    args: PhantomData<fn(&A) -> A>,
}

impl<A> TaskType<A> {
    /// Names a kind and the queue that its tasks go through.
    pub const fn new(name: &'static str, queue: &'static str) -> Self {
        Self { name, queue, args: PhantomData }
    }

    /// The name of the kind.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Describes a task of this kind, in its queue.
    pub fn task(&self, args: &A) -> NewTask
    where
        A: Serialize,
    {
        NewTask::new(self.name, args).queue(self.queue)
    }

    /// Registers the handler.
    pub fn kind<H, F, T>(&self, handler: H) -> Kind
    where
        A: DeserializeOwned,
        H: Fn(Job, A) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Serialize,
    {
        Kind::typed(self.name, self.queue, handler)
    }
}
