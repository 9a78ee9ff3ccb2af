//! The store in memory against an exact one, over random histories with a clock that moves both ways.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use tower_pop::clock::ManualClock;
use tower_pop::replay::conformance;

use super::{insert, store};
use crate::support::NOW;

#[derive(Debug, Clone)]
enum Event {
    Insert { client: u8, jti: u8, age: i64 },
    Advance(u64),
    Step(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0_u8..4, 0_u8..40, -30_i64..60).prop_map(|(client, jti, age)| Event::Insert { client, jti, age }),
        2 => (0_u64..50).prop_map(Event::Advance),
        1 => (-400_i64..400).prop_map(Event::Step),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn never_accepts_an_entry_that_an_exact_store_rejects(events in prop::collection::vec(event(), 1..200)) {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = store(&clock);
        let (mut now, mut latest) = (NOW, NOW);
        let mut proofs = HashSet::new();
        let mut live: HashMap<(u8, u8), u64> = HashMap::new(); // until when a proof with this jti could be accepted
        for event in events {
            match event {
                Event::Advance(seconds) => {
                    clock.advance(seconds);
                    now += seconds;
                }
                Event::Step(seconds) => {
                    now = now.saturating_add_signed(seconds);
                    clock.set_wall_clock(now);
                }
                Event::Insert { client, jti, age } => {
                    let issued_at = now.saturating_add_signed(-age);
                    let entry = conformance::entry(client, &format!("{jti}"), issued_at, now);
                    if insert(&store, entry).is_ok() {
                        prop_assert!(proofs.insert((client, jti, issued_at)), "one proof was accepted twice");
                        let until = live.entry((client, jti)).or_default();
                        prop_assert!(now < latest || *until <= now, "a live jti was accepted again");
                        *until = (*until).max(issued_at + 91);
                    }
                }
            }
            latest = latest.max(now);
        }
    }
}
