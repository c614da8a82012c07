// Package fs keeps blobs, and the custody log's tiles, as files in a folder.
// It implements vault.Store and tlog.Tiles.
//
// # Layout
//
//	blobs/<agency>/<first two digits>/<evidence id>-<attempt>.floe   committed
//	partial/<agency>/<evidence id>-<attempt>.floe                    being received
//	quarantine/<agency>/<evidence id>-<attempt>.floe                 set aside
//	quarantine/<agency>/<evidence id>-<attempt>.floe.<n>             the n-th of them, from 2
//
// A file is a FLOE header and then the sealed segments, nothing else. Names
// come from ids only.
//
// # What it promises
//
// A write goes to its place in the partial file, which may have holes; Sync is fdatasync, the first
// time with the file's name. Commit flushes the file, then renames it into blobs
// and flushes both folders: after a crash the blob is whole in one of the two
// places. Uploads that flush the same folder at a time share the flush. A folder
// that is made is flushed before something is put into it. A full disk is
// vault.ErrFull; so is one with less than the reserve free, which blobs leave to
// the catalog and the log. For that the free space is asked for at each new blob
// and at the latest after 64 MiB.
//
// # What it does not promise
//
// It does not stop somebody with the server's rights from changing files: what
// is stored is proven right again by fsck. One process at a time may have the
// folder open for writing; the server holds its lock.
package fs
