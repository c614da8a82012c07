// Package sealedfile is a file layer under SQLite that keeps a catalog sealed: AES-256
// in XTS (NIST SP 800-38E, IEEE 1619), under a key that is no part of the file.
//
// It is a VFS of SQLite, "sealed", over the one of the operating system. Opened by
// "file:PATH?vfs=sealed&sealed=ID", where ID is what [Key.Use] gave, it holds on the disk:
//
//	main database   pages of 4096 bytes, each one XTS sector, numbered by its place
//	WAL             its header of 32 bytes in clear (no content); of each frame the
//	                page number and size in clear, salt and checksum as one XTS block,
//	                and the page as one sector, all numbered by the frame's place
//	rollback journal  its header alone: only files that were empty ever have one
//
// Every other kind of file, and every read or write of another shape, is refused: nothing
// is written in clear that this package does not know. Locks and the WAL index, which
// holds no content, are SQLite's own. Each write of SQLite is one write of the file, of
// the same bytes, so what a crash or a power cut may leave is what SQLite is made for.
//
// It hides content, and does not prove it: who can write to the disk can put back an older
// page unseen. That the record is whole is the custody log's to prove. Only sqldb imports it.
package sealedfile
