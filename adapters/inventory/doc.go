// Package inventory reads lists of objects that were made elsewhere, as a sweep.Source: inventories of S3, Google Cloud
// Storage and Azure, manifests of S3 Batch Operations, and lists of keys. A bucket with an inventory need not be listed.
//
// What a list says may be old. It tells which objects a pass looks at, and with which ETag they were seen. What they are
// now, the store tells. An object that has gone meanwhile gets no row.
//
// Lists are untrusted. Sizes are bounded before memory is taken, only the bucket of the pass is touched, and only
// files of the bucket or folder that the list lies in are read.
//
// Sources of the formats:
//   - https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
//   - https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
//   - https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html
//   - https://cloud.google.com/storage/docs/insights/inventory-reports
//   - https://learn.microsoft.com/azure/storage/blobs/blob-inventory
package inventory
