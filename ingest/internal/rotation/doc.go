// Package rotation gives an agency a new key pair and wraps the keys of all its
// recordings to it.
//
// A rotation is this, and may be killed anywhere:
//
//  1. the event of a new key pair is durable, then the pair is: from here on
//     docks that enrol wrap to it, and what docks offer is kept wrapped to it;
//  2. batch by batch, recordings' keys that are wrapped to older pairs are opened
//     and wrapped to the newest one, and each batch is one commit with one event
//     that tells how many, and of which items the first and the last;
//  3. nothing stands on the older pairs but docks that were told of them.
//
// What a killed run left is found by the catalog alone: every wrapped key says to
// which pair it is wrapped. The next run goes on there and makes no further pair.
//
// It promises that no blob is touched, that a key is replaced only by itself under
// another wrap, and that two runs at once do no harm. A key that opens with no pair
// is left as it is and told. It does not destroy old pairs: people do, see
// keys.Ring.Retire. The server's wiring calls it.
package rotation
