// Package readingtest fills a real catalog (SQLite) and a store in memory with
// sealed recordings, signed manifests and receipts, for the tests of the read
// side. The clock stands until a test moves it. Nothing else may import it.
package readingtest
