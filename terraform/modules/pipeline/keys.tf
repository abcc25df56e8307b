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
  # What the worker may write: records of the algorithms it is told to compute.
  record_keys = { for label in keys(var.buckets) : label => flatten([
    for t in local.record_templates[label] : [for alg in sort(var.algorithms) : replace(t, "{alg}", alg)]
  ]) }

  # What never becomes work: records of any algorithm, whichever is computed, and
  # bucketsum's own notes. The worker would leave them alone, too.
  excluded_keys = concat(
    flatten([for t in local.record_templates[""] : [for alg in local.known_algorithms : replace(t, "{alg}", alg)]]),
    [".bucketsum/*"],
  )
}
