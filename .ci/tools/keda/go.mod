// Not a tool: KEDA's own list of what triggers understand, for .ci/chart. Apart
// from the others, as all that KEDA needs would come with it.
module github.com/bucketsum/bucketsum/ci/tools/keda

go 1.26.0

require github.com/kedacore/keda/v2 v2.21.0
