export const mutants = {
  'V8 12 has the usual tiles': [['< 13 && !versions.bun', '< 12 && !versions.bun']],
  'every V8 has small tiles': [["isOld && arch === 'x64' ?", "arch === 'x64' ?"]],
  'tiles are those of the host where wide ones are asked for': [
    ['  if (wide) return TILES_WIDE;\n', ''],
  ],
};
