// Package timeline finds where in an MP4 recording a span of time lies.
//
// # What it promises
//
// [Read] reads the sample tables of a recording (ISO/IEC 14496-12:2022, sections
// 8.1 to 8.7) and [Index.Span] says which bytes hold a span of time: from the key
// frame at or before its begin to the last sample that begins before its end, of
// all tracks. Whoever decodes those bytes, with the tables, sees all of the span.
//
// A recording may come from anybody. Memory is at most MaxTables and what a few
// copies of it take, whatever counts the tables name; work grows with the tables'
// bytes and the number of samples, which is bounded too. What does not hold
// together is [ErrForm].
//
// # What it does not promise
//
// It decodes no picture: that a sample marked as a key frame is one is the
// camera's word. Times are those of decoding, which differ from those of showing
// by a few frames where pictures are reordered; edit lists are not followed.
// Fragmented recordings (moof) are refused.
//
// export calls it. An Index does not change; it may be shared.
package timeline
