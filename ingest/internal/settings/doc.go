// Package settings keeps what an agency has decided about access: passwords,
// sign-ins, sessions, networks, and whom outsiders tell of holes.
//
// It promises:
//   - Each setting has a default, bounds that nothing gets past, and a
//     direction: its value is weaker than the default, as it is, or stronger.
//   - A change is a custody event with old value, new value and reason, in one
//     transaction with it; a refused change is an event too.
//   - A weaker value wants a reason.
//   - What is changed on one node holds on all within a second.
//   - Nobody can shut themselves out: a list of networks without the place from
//     where it is changed is refused. At the command line, which is on the
//     server itself, it is not: that is the way back in.
//
// It decides nothing else: auth follows the Policy that it makes of the values,
// the dashboard the rest. A value that was stored and is no good, as after a
// downgrade, counts as not set and is logged.
//
// api, dashboard and the server's wiring call it. Safe for concurrent use.
package settings
