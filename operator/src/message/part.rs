//! Requests and replies that are too long for one frame, in parts.

use super::{
    AgentSelector, AlertReport, CommandOutcome, FleetHistory, INCIDENT_AGENTS_MAX, PastFleet,
    Reply, Request,
};

/// Most bytes of the names in one part of a request.
const PART_BYTES: usize = 512 << 10;
/// Number of items above which a reply is split before it is known to be too long: encoding all of
/// it would take longer than to split it.
const PART_ITEMS: usize = 4_096;

impl Reply {
    /// Returns true for a reply that is most likely too long for one frame.
    pub fn is_long(&self) -> bool {
        match self {
            Self::Command(outcome) => outcome.targets.len() > PART_ITEMS,
            Self::Forgotten { agents } => agents.len() > PART_ITEMS,
            Self::Events { events, .. } => events.len() > PART_ITEMS,
            Self::Past(fleet) => fleet.agents.len() > PART_ITEMS,
            Self::Alerts(report) => {
                let agents = report.incidents.iter().map(|it| it.agents.len()).sum::<usize>();
                report.incidents.len() > 1 && agents > INCIDENT_AGENTS_MAX
            }
            Self::Part(reply) => reply.is_long(),
            _ => false,
        }
    }

    /// Splits a reply in two, the first of which is a [`Reply::Part`]; `None` when it can't be split.
    pub fn split(self) -> Option<(Self, Self)> {
        let part = |reply| Self::Part(Box::new(reply));
        match self {
            Self::Command(mut outcome) => {
                let targets = split_list(&mut outcome.targets)?;
                let CommandOutcome { request_id, at_ms, .. } = outcome;
                let rest = CommandOutcome { request_id, at_ms, targets, refused: None };
                Some((part(Self::Command(outcome)), Self::Command(rest)))
            }
            Self::Forgotten { mut agents } => {
                let rest = split_list(&mut agents)?;
                Some((part(Self::Forgotten { agents }), Self::Forgotten { agents: rest }))
            }
            Self::Events { mut events, next } => {
                let rest = split_list(&mut events)?;
                let first = part(Self::Events { events, next });
                Some((first, Self::Events { events: rest, next }))
            }
            Self::Outages { mut outages, next } => {
                let rest = split_list(&mut outages)?;
                let first = part(Self::Outages { outages, next });
                Some((first, Self::Outages { outages: rest, next }))
            }
            Self::Past(mut fleet) => {
                let agents = split_list(&mut fleet.agents)?;
                let PastFleet { at_ms, gap, work, .. } = fleet;
                let rest = PastFleet { at_ms, gap, work, agents };
                Some((part(Self::Past(fleet)), Self::Past(rest)))
            }
            Self::Alerts(mut report) => {
                let incidents = split_list(&mut report.incidents)?;
                let rest = AlertReport { incidents, ..AlertReport::default() };
                Some((part(Self::Alerts(report)), Self::Alerts(Box::new(rest))))
            }
            Self::FleetHistory(mut history) => {
                let steps = split_list(&mut history.steps)?;
                let len = history.steps.len().min(history.latencies.len());
                let latencies = history.latencies.split_off(len);
                let rest = FleetHistory { steps, latencies, ..FleetHistory::default() };
                Some((part(Self::FleetHistory(history)), Self::FleetHistory(Box::new(rest))))
            }
            Self::Part(reply) => {
                let (first, rest) = reply.split()?;
                Some((first, part(rest)))
            }
            _ => None,
        }
    }

    /// Puts the parts that came before in front of this one. `None` when they belong to another kind
    /// of reply.
    pub fn prepend(self, before: Self) -> Option<Self> {
        match (before, self) {
            (Self::Command(mut outcome), Self::Command(rest)) => {
                outcome.targets.extend(rest.targets);
                Some(Self::Command(outcome))
            }
            (Self::Forgotten { mut agents }, Self::Forgotten { agents: rest }) => {
                agents.extend(rest);
                Some(Self::Forgotten { agents })
            }
            (Self::Events { mut events, next }, Self::Events { events: rest, .. }) => {
                events.extend(rest);
                Some(Self::Events { events, next })
            }
            (Self::Outages { mut outages, next }, Self::Outages { outages: rest, .. }) => {
                outages.extend(rest);
                Some(Self::Outages { outages, next })
            }
            (Self::Past(mut fleet), Self::Past(rest)) => {
                fleet.agents.extend(rest.agents);
                Some(Self::Past(fleet))
            }
            (Self::Alerts(mut report), Self::Alerts(rest)) => {
                report.incidents.extend(rest.incidents);
                Some(Self::Alerts(report))
            }
            (Self::FleetHistory(mut history), Self::FleetHistory(rest)) => {
                history.steps.extend(rest.steps);
                history.latencies.extend(rest.latencies);
                Some(Self::FleetHistory(history))
            }
            _ => None,
        }
    }
}

/// Takes the second half out of a list; `None` when it has less than two items.
fn split_list<T>(list: &mut Vec<T>) -> Option<Vec<T>> {
    (list.len() > 1).then(|| list.split_off(list.len() / 2))
}

impl Request {
    /// Returns this request in parts: names first, as far as they take more than their share of a
    /// frame, then the request with the rest of them.
    pub fn into_parts(mut self) -> Vec<Self> {
        let mut parts = Vec::new();
        if let Some(AgentSelector::Names(names)) = self.selector_mut() {
            let (mut part, mut bytes) = (Vec::new(), 0);
            for name in std::mem::take(names) {
                bytes += name.len() + 5;
                if bytes > PART_BYTES {
                    parts.push(Self::MoreNames { names: std::mem::take(&mut part) });
                    bytes = name.len() + 5;
                }
                part.push(name);
            }
            *names = part;
        }
        parts.push(self);
        parts
    }

    /// Puts the names of earlier parts in front of those of this request.
    pub fn prepend_names(&mut self, mut before: Vec<String>) {
        if let Some(AgentSelector::Names(names)) = self.selector_mut() {
            before.append(names);
            *names = before;
        }
    }

    fn selector_mut(&mut self) -> Option<&mut AgentSelector> {
        match self {
            Self::Snapshot { agents } | Self::Preview { agents, .. } => Some(agents),
            Self::Command(command) => Some(&mut command.agents),
            Self::Forget(command) => Some(&mut command.agents),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use crate::message::{ClientFrame, ServerFrame};
    use heartline_vocabulary::{AgentRowId, CommandTarget, State};

    fn name(at: u32) -> String {
        format!("region-eu-west.customer-mail.worker-{at:06}")
    }

    #[test]
    fn an_outcome_for_100_000_agents_is_put_together_from_frames() {
        let target = |at| CommandTarget {
            agent: name(at).into(),
            generation: 7,
            state: State::Healthy,
            changed: true,
        };
        let targets = (0..100_000).map(target).collect();
        let whole =
            Reply::Command(CommandOutcome { request_id: 1, at_ms: 2, targets, refused: None });
        assert!(frame::encode(&ServerFrame { id: 1, reply: whole.clone() }).is_err());
        let (mut pending, mut sent) = (vec![whole.clone()], Vec::new());
        while let Some(reply) = pending.pop() {
            match frame::encode(&ServerFrame { id: 1, reply: reply.clone() }) {
                Ok(_) => sent.push(reply),
                Err(_) => {
                    let (first, rest) = reply.split().expect("it has many targets");
                    pending.extend([rest, first]);
                }
            }
        }
        let mut sum = None;
        for reply in sent {
            let part = match reply {
                Reply::Part(part) => *part,
                last => last,
            };
            sum = match sum {
                None => Some(part),
                Some(before) => part.prepend(before),
            };
        }
        assert!(sum == Some(whole), "the parts come to the whole");
    }

    #[test]
    fn answers_about_the_past_are_put_together_from_their_parts() {
        let outages = crate::sample::outages();
        let past = crate::sample::past_fleet();
        let history = Reply::FleetHistory(Box::new(crate::sample::fleet_history()));
        let alerts = Reply::Alerts(Box::new(crate::sample::alert_report()));
        for whole in [Reply::Outages { outages, next: Some(7) }, Reply::Past(past), history, alerts]
        {
            let Some((Reply::Part(first), rest)) = whole.clone().split() else {
                panic!("it has more than one item");
            };
            assert!(rest.prepend(*first) == Some(whole), "the parts come to the whole");
        }
    }

    #[test]
    fn an_incident_with_as_many_agents_as_are_told_fits_a_frame() {
        let mut report = crate::sample::alert_report();
        report.incidents.truncate(1);
        let agents = || (0..INCIDENT_AGENTS_MAX as i64).map(|at| AgentRowId(10_000_000 + at));
        report.incidents[0].agents = agents().collect();
        report.incidents[0].affected = agents().collect();
        let reply = Reply::Alerts(Box::new(report));
        assert!(!reply.is_long());
        frame::encode(&ServerFrame { id: 1, reply }).expect("it fits");
    }

    #[test]
    fn a_request_with_100_000_names_is_put_together_from_frames() {
        let names: Vec<String> = (0..100_000).map(name).collect();
        let whole = Request::Snapshot { agents: AgentSelector::Names(names) };
        let parts = whole.clone().into_parts();
        assert!(parts.len() > 2);
        let (mut before, mut last) = (Vec::new(), None);
        for request in parts {
            frame::encode(&ClientFrame { id: 1, request: request.clone() }).expect("a part fits");
            match request {
                Request::MoreNames { names } => before.extend(names),
                request => last = Some(request),
            }
        }
        let mut last = last.expect("the request itself comes last");
        last.prepend_names(before);
        assert!(last == whole, "the parts come to the whole");
    }

    #[test]
    fn what_fits_is_one_part() {
        let small = Request::Snapshot { agents: AgentSelector::Names(vec![name(1)]) };
        assert_eq!(small.clone().into_parts(), [small]);
        assert_eq!(Request::Ping.into_parts(), [Request::Ping]);
        assert!(Reply::Pong { at_ms: 1 }.split().is_none());
    }
}
