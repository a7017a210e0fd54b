// Package vectortest is the conformance and recall suite of vector indexes: Run checks any maker of
// them against a twin that is as dumb as can be. Twin and Clustered also serve the tests of those
// who stand on an index.
package vectortest
