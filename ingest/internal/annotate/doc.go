// Package annotate is what an agency says of a recording, beside what was recorded: a
// title, a note, another category than the camera claims, tags, the number of an incident
// and a place.
//
// # What it promises
//
//   - The recording, its manifest and its receipt stay as they are, and what the camera
//     claimed stays beside what people say.
//   - Every change is one custody event of the item, in the transaction of the change, with
//     each value as it was and as it is; a refused one is an event too. The history is
//     these events, so it is as hard to change as they are.
//   - Who changes something has seen what stands: a change names the version that it was
//     made from, and another one is refused with what stands now.
//
// # What it does not promise
//
// What people say is not proven; it is their word, with their name. The category that
// counts for lists and grants is theirs where they gave one, so a change of it changes who
// sees the recording (docs/decisions/0033).
//
// api and dashboard ask it; it knows neither.
package annotate
