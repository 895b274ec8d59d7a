//! `rooms list`: the namespaces of an environment, and the objects in them.

use std::fmt;

use anyhow::bail;
use serde::Serialize;

use super::super::Context;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::objects::{self, Namespace};
use crate::commands::cli::ListRooms;
use crate::terminal::advice::Advice;

#[derive(Serialize)]
struct Answer {
    environment: String,
    script: String,
    namespaces: Vec<Namespace>,
}

pub(super) async fn run(context: &Context, args: &ListRooms) -> anyhow::Result<()> {
    let environment = context.project.environment(&args.environment.environment)?;
    let cloudflare = Cloudflare::from_env(&environment)?.telling(&context.progress);
    let (name, script) = (environment.name.to_string(), environment.room_script());
    let namespaces = objects::of_script(&cloudflare, &script, args.limit).await?;
    if namespaces.is_empty() {
        bail!(Advice::new(
            format!("`{name}` has no objects: `{script}` is not deployed"),
            format!("`edge-broadcast deploy {name}`")
        ));
    }
    context.format.answer(&Answer {
        environment: name,
        script,
        namespaces,
    })
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} has its rooms in `{}`", self.environment, self.script)?;
        for namespace in &self.namespaces {
            let Namespace {
                id,
                class,
                objects,
                stored,
                complete,
                listed,
            } = namespace;
            let bound = if *complete { "" } else { "more than " };
            write!(
                f,
                "\n  {class}  {bound}{objects} objects, {stored} of them with stored data, in the namespace {id}"
            )?;
            for object in listed {
                let stored = if object.stored {
                    ""
                } else {
                    "  nothing stored"
                };
                write!(f, "\n    {}{stored}", object.id)?;
            }
            let others = objects.saturating_sub(listed.len());
            if others > 0 {
                write!(f, "\n    … and {others} others; `--limit` shows more")?;
            }
        }
        write!(
            f,
            "\nAn id is a hash of a name: `edge-broadcast rooms get {} TOKEN` shows the room of a token",
            self.environment
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::objects::Listed;

    #[test]
    fn totals_come_first_and_what_is_not_shown_is_counted() {
        let listed = |id: &str, stored| Listed {
            id: id.to_owned(),
            stored,
        };
        let mut namespace = Namespace {
            id: "n1".to_owned(),
            class: "BroadcastRoom".to_owned(),
            objects: 12,
            stored: 9,
            complete: true,
            listed: vec![listed("0a", true), listed("0b", false)],
        };
        let answer = |namespace| Answer {
            environment: "staging".to_owned(),
            script: "glow-staging-room".to_owned(),
            namespaces: vec![namespace],
        };
        let whole = Namespace {
            listed: Vec::new(),
            objects: 0,
            stored: 0,
            id: "n1".to_owned(),
            class: "BroadcastRoom".to_owned(),
            complete: true,
        };
        assert_eq!(
            answer(whole).to_string(),
            "staging has its rooms in `glow-staging-room`
  BroadcastRoom  0 objects, 0 of them with stored data, in the namespace n1
An id is a hash of a name: `edge-broadcast rooms get staging TOKEN` shows the room of a token"
        );
        namespace.complete = false;
        assert_eq!(
            answer(namespace).to_string(),
            "staging has its rooms in `glow-staging-room`
  BroadcastRoom  more than 12 objects, 9 of them with stored data, in the namespace n1
    0a
    0b  nothing stored
    … and 10 others; `--limit` shows more
An id is a hash of a name: `edge-broadcast rooms get staging TOKEN` shows the room of a token"
        );
    }
}
