// Package custody takes recordings into the store. It is where the product's
// promise is kept: what has a receipt is stored, was re-read, and is logged.
//
// # The life of an item
//
//  1. Offer: the manifest's signature, leaves, key and seal header are judged. Nothing is durable yet; the dock offers again.
//  2. Offer: row and event manifest.received are committed, before any content byte. Durable: the hash. Retry: Offer finds the row.
//  3. Offer: the partial blob is made, or the one that is there is proven segment by segment, holes and all; what this process itself has written and synced need not be proven again. Retry: Offer, which asks for what is missing.
//  4. Segment: in any order, from several streams: opened, its leaf hash compared, the ciphertext written as it came. Sync makes it durable, for all who wait; only then is it acknowledged. Retry: Offer.
//  5. Finish: the blob and its folder are synced and the blob gets its final name. Durable: the blob. Retry: Offer, then Finish at once.
//  6. Finish: the blob is read back from the medium, opened, decoded if it came encoded, hashed as a whole and compared with the manifest. Another hash, or an encoding that is not known: quarantine. Retry: as 5.
//  7. Finish: the item becomes stored together with its event evidence.stored, in one commit. Durable: the item. Retry: Offer, which asks for the receipt; Run does so after a restart.
//  8. Finish: the event enters the custody log, the checkpoint is signed, the receipt is signed and kept. Durable: the receipt. Retry: Offer, which returns it.
//
// Steps 7 and 8 are done for all items that wait at that moment with one commit
// each (group commit): many small recordings cost few flushes of the medium.
// Small items that are still being offered or proven are waited for, 20 ms at
// most.
//
// # What it knows of cameras
//
// Each inventory is brought into the ledger in one transaction with its event:
// the docking with its clocks, the camera's key and how it stands, every
// recording that was shown. What is not as it should be becomes an alert, and
// an event; when the server sees that it is over it says so as well. Nothing of
// that refuses footage. CameraAnswer tells a dock what it has to know of the
// camera in its bay.
//
// # What else it promises
//
// One item is written through one intake at a time, whatever streams feed it. What a dock offers with a
// signature that does not verify is taken in and ends in quarantine without a
// receipt; what cannot be judged at all is refused. Every refusal that a
// known dock gets and every quarantine is a custody event.
//
// # What it does not promise
//
// It does not find damage that comes after step 6: fsck does. It decides
// nothing about people's access.
//
// receive calls it through its Acceptor interface; the server's wiring makes
// and runs it. All methods are safe for concurrent use.
package custody
