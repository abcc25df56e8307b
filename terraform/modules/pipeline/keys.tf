# Which keys are objects and which are records, written with * for what varies.

locals {
  known_algorithms = ["md5", "sha1", "sha256", "sha512", "crc32c", "crc64nvme", "blake3", "xxh3"]

  # What the keys of objects start and end with, by bucket.
  affixes = { for label, b in var.buckets : label => [
    for a in setproduct(coalescelist(sort(b.prefixes), [""]), coalescelist(sort(b.suffixes), [""])) : { prefix = a[0], suffix = a[1] }
  ] }
  object_keys = { for label, affixes in local.affixes : label => [for a in affixes : "${a.prefix}*${a.suffix}"] }

  # The records of these objects, with {alg} still in them. A prefix is a part of
  # {key}. Where {dir} and {base} are apart it may be split between the two at its
  # last slash, or be a part of {dir}.
  record_templates = { for label, affixes in merge(local.affixes, { "" = [{ prefix = "", suffix = "" }] }) : label => flatten([
    for a in affixes : strcontains(var.record_layout, "{key}") ? [
      replace(var.record_layout, "{key}", "${a.prefix}*${a.suffix}"),
      ] : [
      replace(replace(var.record_layout, "{dir}/", regex("^(?:.*/)?", a.prefix)), "{base}", "${regex("[^/]*$", a.prefix)}*${a.suffix}"),
      replace(replace(var.record_layout, "{dir}/", "${a.prefix}*/"), "{base}", "*${a.suffix}"),
    ]
  ]) }
  # In a bucket of their own records lie below the name of the objects' bucket.
  record_arns = { for label, templates in local.record_templates : label => [
    for t in templates : var.record_bucket == null ? "${local.bucket_arns[label]}/${t}" : "${local.record_bucket_arn}/${var.buckets[label].name}/${t}"
  ] if label != "" }
  # What the worker may write: records of the algorithms it is told to compute.
  # What it looks for: records of any, as they must not outlive their objects.
  written_arns = flatten([for t in flatten(values(local.record_arns)) : [for alg in sort(var.algorithms) : replace(t, "{alg}", alg)]])
  former_arns  = flatten([for t in flatten(values(local.record_arns)) : [for alg in sort(var.former_algorithms) : replace(t, "{alg}", alg)]])
  looked_for   = [for t in flatten(values(local.record_arns)) : replace(t, "{alg}", "*")]

  # What never becomes work: records of any algorithm, whichever is computed, and
  # bucketsum's own notes. The worker would leave them alone, too. Where the records
  # are elsewhere, what looks like one is somebody's object.
  records_beside = contains(var.record_to, "sidecar") && var.record_bucket == null
  excluded_keys = concat(
    flatten([for t in local.record_templates[""] : [for alg in local.known_algorithms : replace(t, "{alg}", alg)] if local.records_beside]),
    [".bucketsum/*"],
  )
}
