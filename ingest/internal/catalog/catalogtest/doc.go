// Package catalogtest is the suite of promises that the catalog keeps on every
// engine. An engine is done when Run passes. For tests only.
package catalogtest
