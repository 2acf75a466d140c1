// Mouse, pen, fingers and keys, turned into what the visitor means by them.
//
// The page scrolls as it would without the map: the wheel zooms with ctrl, by a pinch of a touchpad,
// or once the map was clicked, until the pointer leaves it; one finger scrolls past it.
//
// act: hover(x, y), leave(), click(x, y, reach), look(at) (a new view), all() (show everything),
// lasso(polygon or null), region(polygon), walk([dx, dy]), enter(), close(), search().

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const REACH = { mouse: 12, pen: 16, touch: 24 };

function listen(canvas, getView, act) {
  const down = new Map();
  let press = null, pinch = null, lasso = null, wheels = false;

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = ([a, b]) => ({ x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, far: Math.hypot(a[0] - b[0], a[1] - b[1]) });
  const cursor = (name) => { canvas.dataset.cursor = name; };

  canvas.addEventListener('pointerdown', (event) => {
    if (!getView() || event.button > 0) return;
    const at = place(event);
    if (event.pointerType !== 'touch') { wheels = true; act.inside(true); }
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at);
    act.leave();
    if (down.size === 2) {
      press = null;
      pinch = spread([...down.values()]);
    } else if (event.shiftKey) {
      lasso = [at];
      cursor('select');
    } else {
      press = { from: at, last: at, far: 0 };
    }
  });

  canvas.addEventListener('pointermove', (event) => {
    const view = getView(), at = place(event);
    if (!view) return;
    if (!down.size) {
      if (event.pointerType !== 'touch') cursor(act.hover(...at, REACH.mouse) ? 'point' : '');
      return;
    }
    if (!down.has(event.pointerId)) return;
    down.set(event.pointerId, at);
    if (pinch && down.size === 2) {
      const now = spread([...down.values()]);
      act.look(view.zoomed(pinch.x, pinch.y, now.far / Math.max(pinch.far, 1)));
      act.look(getView().moved(now.x - pinch.x, now.y - pinch.y));
      pinch = now;
    } else if (lasso) {
      const [x, y] = lasso[lasso.length - 1];
      if (Math.hypot(at[0] - x, at[1] - y) > 2) lasso.push(at);
      act.lasso(lasso);
    } else if (press) {
      press.far = Math.max(press.far, Math.hypot(at[0] - press.from[0], at[1] - press.from[1]));
      if (event.pointerType === 'touch') return;  // one finger scrolls the page, two move the map
      if (press.far > (event.pointerType === 'touch' ? 9 : 4)) {
        cursor('drag');
        act.look(view.moved(at[0] - press.last[0], at[1] - press.last[1]));
        press.last = at;
      }
    }
  });

  function up(event) {
    if (!down.delete(event.pointerId)) return;
    const drawn = lasso, pressed = press;
    cursor('');
    press = lasso = null;
    if (down.size < 2) pinch = null;
    if (drawn) {
      act.lasso(null);
      if (event.type === 'pointerup' && drawn.length > 2) act.region(drawn);
    } else if (pressed && event.type === 'pointerup') {
      const touch = event.pointerType === 'touch';
      if (pressed.far <= (touch ? 9 : 4)) act.click(...place(event), REACH[event.pointerType] || REACH.mouse);
    }
  }
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('pointercancel', up);
  canvas.addEventListener('pointerleave', () => { wheels = false; act.inside(false); });
  canvas.addEventListener('pointerleave', () => { if (!down.size) { cursor(''); act.leave(); } });
  canvas.addEventListener('dblclick', () => act.all());

  canvas.addEventListener('wheel', (event) => {
    if (!getView()) return;
    if (!wheels && !event.ctrlKey && !event.metaKey) { act.scrolledPast(); return; }
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 18 : 1;
    const turn = event.deltaY * lines;  // a pinch of a touchpad comes with ctrl, in small steps
    act.look(getView().zoomed(...place(event), Math.exp(-(event.ctrlKey ? 0.008 * clamp(turn, -45, 45) : 0.0016 * clamp(turn, -240, 240)))));
  }, { passive: false });

  canvas.addEventListener('keydown', (event) => {
    const view = getView();
    if (!view || event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = [view.width / 2, view.height / 2];
    const meant = {
      Enter: () => act.enter(),
      Escape: () => act.close(),
      '+': () => act.look(view.zoomed(...middle, 1.5), true),
      '=': () => act.look(view.zoomed(...middle, 1.5), true),
      '-': () => act.look(view.zoomed(...middle, 1 / 1.5), true),
      0: () => act.all(),
    }[event.key] || (STEPS[event.key] && (() => act.walk(STEPS[event.key])));
    if (!meant) return;
    event.preventDefault();
    meant();
  });
}
