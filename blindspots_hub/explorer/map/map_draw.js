// Two ways to draw the points, with one interface:
//   points(xy, sizes)        Int32Array (2N), Uint8Array (N): once for a bundle
//   sizes(sizes)             Uint8Array (N): others than those of the bundle
//   colour(bytes, order)     Uint8Array (N), Uint32Array (N, first to be drawn first)
//   theme(table)             Uint8Array (2, 256, 4): fill and outline of every byte
//   draw(view, density)      device pixels a CSS pixel
// Beyond the thresholds a point is a triangle: ▼ below 0.1 (suppressed), ▲ above 0.9 (exaggerated).

const SUPPRESSED_UNDER = LEVELS / 10, EXAGGERATED_OVER = LEVELS * 9 / 10;
const shapeOf = (byte) => byte > LEVELS ? 0 : byte < SUPPRESSED_UNDER ? -1 : byte > EXAGGERATED_OVER ? 1 : 0;

const TRIANGLE = 1.55;  // how much larger its radius is than a circle's: a blindspot catches the eye

const VERTEX = `#version 300 es
in vec2 place; in uint size; in uint level;
uniform vec4 view; uniform float base; uniform sampler2D palette;
flat out vec4 fill; flat out vec4 rim; flat out float radius; flat out float sprite; flat out float shape;
void main() {
  gl_Position = vec4(place * view.xy + view.zw, 0., 1.);
  shape = level < ${SUPPRESSED_UNDER}u ? -1. : level > ${EXAGGERATED_OVER}u && level <= ${LEVELS}u ? 1. : 0.;
  radius = base * (.55 + 1.05 * float(size) / 255.) * (shape == 0. ? 1. : ${TRIANGLE});
  sprite = 2.8 * radius + 3.;
  gl_PointSize = sprite;
  fill = texelFetch(palette, ivec2(level, 0), 0);
  rim = texelFetch(palette, ivec2(level, 1), 0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
flat in vec4 fill; flat in vec4 rim; flat in float radius; flat in float sprite; flat in float shape;
out vec4 colour;
void main() {
  vec2 q = (gl_PointCoord - .5) * sprite;
  float edge = length(q) - radius;
  if (shape != 0.) {
    q.y *= shape;
    edge = max(q.y, .866 * abs(q.x) - .5 * q.y) - .62 * radius;
  }
  float cover = clamp(.5 - edge, 0., 1.);
  if (cover <= 0.) discard;
  float width = clamp(.24 * radius, .3, 2.);
  vec4 ink = mix(fill, rim, clamp(edge + width + .5, 0., 1.) * clamp(.5 * radius - .4, .35, 1.));
  colour = vec4(ink.rgb, 1.) * ink.a * cover;
}`;

// Null where the browser has no WebGL2.
function webglPoints(canvas) {
  const gl = canvas.getContext('webgl2', { antialias: false, premultipliedAlpha: true });
  if (!gl) return null;
  const held = {};
  let at, buffers;

  function shader(kind, source) {
    const made = gl.createShader(kind);
    gl.shaderSource(made, source);
    gl.compileShader(made);
    if (!gl.getShaderParameter(made, gl.COMPILE_STATUS) && !gl.isContextLost()) throw Error(gl.getShaderInfoLog(made));
    return made;
  }

  // Everything the graphics card holds; made anew after a lost context.
  function build() {
    const program = gl.createProgram();
    gl.attachShader(program, shader(gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, shader(gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    gl.useProgram(program);
    at = (name) => gl.getUniformLocation(program, name);
    buffers = { place: gl.createBuffer(), size: gl.createBuffer(), level: gl.createBuffer(), order: gl.createBuffer() };
    const attribute = (name, set) => {
      const where = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
      gl.enableVertexAttribArray(where);
      set(where);
    };
    attribute('place', (where) => gl.vertexAttribPointer(where, 2, gl.INT, false, 0, 0));
    attribute('size', (where) => gl.vertexAttribIPointer(where, 1, gl.UNSIGNED_BYTE, 0, 0));
    attribute('level', (where) => gl.vertexAttribIPointer(where, 1, gl.UNSIGNED_BYTE, 0, 0));
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.order);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const { table, xy, sizes, bytes, order } = held;
    if (table) own.theme(table);
    if (xy) own.points(xy, sizes);
    if (bytes) own.colour(bytes, order);
  }

  function fill(name, content) {
    const target = name === 'order' ? gl.ELEMENT_ARRAY_BUFFER : gl.ARRAY_BUFFER;
    gl.bindBuffer(target, buffers[name]);
    gl.bufferData(target, content, gl.STATIC_DRAW);
  }

  const own = {
    kind: 'webgl2',
    rebuild: build,
    points(xy, sizes) { Object.assign(held, { xy, sizes, bytes: null }); fill('place', xy); fill('size', sizes); },
    sizes(sizes) { held.sizes = sizes; fill('size', sizes); },
    colour(bytes, order) { Object.assign(held, { bytes, order }); fill('level', bytes); fill('order', order); },
    theme(table) {
      held.table = table;
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 2, 0, gl.RGBA, gl.UNSIGNED_BYTE, table);
    },
    draw(view, density) {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clear(gl.COLOR_BUFFER_BIT);
      if (!held.bytes) return;
      const { scale, x, y } = view.at, { width, height } = view;
      gl.uniform4f(at('view'), 2 * scale / width, 2 * scale / height, 2 * x / width - 1, 1 - 2 * y / height);
      gl.uniform1f(at('base'), view.base * density);
      gl.drawElements(gl.POINTS, held.order.length, gl.UNSIGNED_INT, 0);
    },
  };
  build();
  return own;
}

function flatPoints(canvas) {
  const pen = canvas.getContext('2d');
  const held = {};
  let styles;

  // Adds one point to the current path; a point of a few pixels is a square.
  function trace(shape, x, y, r) {
    if (shape) {
      const h = 0.62 * TRIANGLE * r, w = 1.732 * h;
      pen.moveTo(x - w, y + shape * h);
      pen.lineTo(x + w, y + shape * h);
      pen.lineTo(x, y - shape * 2 * h);
      pen.closePath();
    } else if (r < 1.6) {
      pen.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    } else {
      pen.moveTo(x + r, y);
      pen.arc(x, y, r, 0, 6.2832);
    }
  }

  return {
    kind: '2d',
    rebuild() {},
    points(xy, sizes) { Object.assign(held, { xy, sizes, bytes: null }); },
    sizes(sizes) { held.sizes = sizes; },
    colour(bytes, order) { Object.assign(held, { bytes, order }); },
    theme(table) {
      const css = (row, byte) => {
        const [r, g, b, a] = table.subarray(4 * (256 * row + byte));
        return `rgb(${r} ${g} ${b} / ${a / 255})`;
      };
      styles = Array.from({ length: 256 }, (_, byte) => [css(0, byte), css(1, byte)]);
    },
    draw(view, density) {
      pen.setTransform(density, 0, 0, density, 0, 0);
      pen.clearRect(0, 0, view.width, view.height);
      if (!held.bytes) return;
      const { xy, sizes, bytes, order } = held, { scale, x, y } = view.at, base = view.base;
      let byte = -1, pending = 0;
      const finish = () => {
        if (!pending) return;
        pen.fillStyle = styles[byte][0];
        pen.fill();
        if (styles[byte][0] !== styles[byte][1]) { pen.strokeStyle = styles[byte][1]; pen.stroke(); }
        pending = 0;
      };
      for (const i of order) {
        const px = xy[2 * i] * scale + x, py = y - xy[2 * i + 1] * scale, r = view.radius(sizes[i], base);
        if (px < -2 * r || py < -2 * r || px > view.width + 2 * r || py > view.height + 2 * r) continue;
        if (bytes[i] !== byte || pending > 200) { finish(); byte = bytes[i]; pen.beginPath(); }
        trace(shapeOf(byte), px, py, r);
        pending++;
      }
      finish();
    },
  };
}

// Order of drawing: faded points, then unknown ones, then by distance from δ = 0.5, so that what
// is wrong with a model is never hidden under what is right. A counting sort.
function drawingOrder(bytes) {
  const rank = (byte) => byte === FILTERED ? 0 : byte === UNKNOWN ? 1 : 2 + Math.abs(byte - LEVELS / 2);
  const starts = new Uint32Array(LEVELS + 4), order = new Uint32Array(bytes.length);
  for (const byte of bytes) starts[rank(byte) + 1]++;
  for (let k = 1; k < starts.length; k++) starts[k] += starts[k - 1];
  bytes.forEach((byte, i) => { order[starts[rank(byte)]++] = i; });
  return order;
}
