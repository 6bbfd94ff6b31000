// Package timing counts durations where they happen, for who asks later: a
// histogram is a few atomic counters, observing costs nanoseconds, and nothing
// is allocated.
package timing
