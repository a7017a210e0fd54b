// Package hnswlib measures the C++ library of that name, from its headers. It is empty unless the
// tag hnswlib is given and cgo is at hand, since nothing here may depend on a C++ compiler.
//
//	apt-get install libhnswlib-dev
//	cd cmd/inmem-bench/peers && go run -tags hnswlib . -workloads vector/bare/384/20k
//
// Debian's headers know no filters. Those of the npm package hnswlib-node do:
//
//	CGO_CXXFLAGS="-I$PWD/package/src -DHNSWLIB_FILTERS" go run -tags hnswlib .
package hnswlib
