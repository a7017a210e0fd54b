// Package diff finds what differs: between two values, between two sorted streams of keys, between
// two sequences of steps; and shows it as text, JSON and HTML. It is pure: it reads what it is
// given, knows no database, and gives the same answer every time.
//
// # Two sides
//
// The sides are called a and b, and everything is said from a to b: Added is what only b has,
// Removed what only a has, Changed what both have and is not the same. Swapping the sides swaps
// Added and Removed, and nothing else: where an alignment could be made in several ways, the choice
// depends on what is aligned and not on which side it stands.
//
// # Values
//
// Values compares two values by path. Maps are compared by key. Arrays are aligned by a longest
// common subsequence of their elements, if both have at most 1024; what lies between two elements
// that are the same is paired in order, and compared inside. Longer arrays are compared position by
// position. The work is bounded: see Limits.
//
// # Keys
//
// Merge walks two streams in key order side by side, in constant memory.
//
// # Steps
//
// Align aligns two sequences of steps, such as the events or spans of two runs. Two steps are the
// same if type and arguments are, byte for byte. What is equal at the beginning and at the end is
// walked over in constant memory. What lies between is aligned exactly, by a longest common
// subsequence, if it fits into a window on both sides; otherwise it goes on window by window, and
// Outcome says so (Windowed): the result is still right, everything that it calls the same is the
// same and in order, but there may be an alignment with fewer differences. Between two steps that
// are the same, a step of a and one of b with equal type and name are Changed.
package diff
