/* Normalisation and activation of what a step reads. */

struct NAMED(lazy) {
  vec scale, shift, slope;
};

ALWAYS struct NAMED(lazy) NAMED(lazy_of)(const struct source *from, int channel) {
  struct NAMED(lazy) lazy;
  lazy.scale = LOAD(from->scale + channel);
  lazy.shift = LOAD(from->shift + channel);
  lazy.slope = SPREAD(from->slope);
  return lazy;
}

ALWAYS vec NAMED(activate)(vec value, struct NAMED(lazy) lazy) {
  value = value * lazy.scale + lazy.shift;
  return MAX(value, value * lazy.slope);
}
