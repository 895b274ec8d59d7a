//! What a change does to the month's bill, as far as `[traffic]` and the live settings tell it.

use edge_broadcast_protocol::contract::binding;
use edge_broadcast_protocol::contract::settings::{GatewaySettings, RoomSettings};
use serde::de::DeserializeOwned;

use super::observed::{Live, Observed};
use crate::environment::Environment;
use crate::environment::cost::{Bill, Setup};

/// The bill before and after, where a deployment of `environment` moves it by a cent.
pub(super) fn change(environment: &Environment, observed: &Observed) -> Option<String> {
    let traffic = environment.traffic.as_ref()?;
    let before = Bill::of(traffic, &live(environment, observed)?).dollars;
    let after = Bill::of(traffic, &Setup::of(environment)).dollars;
    let moved = after - before;
    (moved.abs() >= 0.01).then(|| {
        let sign = if moved < 0.0 { '-' } else { '+' };
        format!(
            "a month costs ${after:.2} instead of ${before:.2} with this ({sign}${:.2}), by `[traffic]`; `edge-broadcast cost {}` has every line",
            moved.abs(),
            environment.name
        )
    })
}

/// What is live, as far as it moves the bill; none where it is not all there, or cannot be read.
fn live(environment: &Environment, observed: &Observed) -> Option<Setup> {
    let gateway = observed.scripts.get(&environment.gateway_script())?;
    let room = observed.scripts.get(&environment.room_script())?;
    let regions = settings::<GatewaySettings>(gateway)?.regions.len();
    Some(Setup {
        objects: u32::try_from(regions).unwrap_or(u32::MAX).max(1),
        window_ms: settings::<RoomSettings>(room)?.batch_window_ms.into(),
        logs: (gateway.observability || room.observability).into(),
        data_points: gateway
            .active
            .bindings
            .contains_key(binding::ANALYTICS)
            .into(),
        ..Setup::of(environment)
    })
}

fn settings<T: DeserializeOwned>(live: &Live) -> Option<T> {
    let settings = live.active.bindings.get(binding::SETTINGS)?.get("json")?;
    T::deserialize(settings).ok()
}
