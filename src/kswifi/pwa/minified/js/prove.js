/*200fc30b60ef4177c32c30a9b991d48bd42ab353e858f8d578897acefe9082e1*/
import{change as c,read as h}from"./api.js";import{Ask as d}from"./ask.js";import{now as w}from"./clock.js";import*as r from"./db.js";import{when as k}from"./format.js";import{add as b,t as i}from"./i18n.js";import{useEffect as v,useState as $}from"./state.js";import{environment as g}from"./store.js";import*as _ from"./text/security.js";import{html as s,Note as x}from"./ui.js";b(_);const p="/api/v1/identifier-proofs",y=18e5;async function P(){const t=await r.get("kv","proving"),a=t?Date.parse(t.expires_at)+(t.confirmed?y:0):0;return t&&w()<a?t:null}const T=()=>r.remove("kv","proving");function A(){const t=g.value?.provable_identifiers??[];return t.length===1?i(`prove.${t[0]}`):i("prove.lead")}function H({next:t,identifier:a=""}){const[o,f]=$(null),[m,u]=$("");async function l(e){f(e),e?await r.put("kv",e,"proving"):await T()}return v(()=>{P().then(e=>e&&(e.confirmed?t(e):f(e)))},[]),v(()=>{if(u(""),!o||!g.peek()?.lab_origin)return;const e=setTimeout(()=>h(`${p}/${o.proof_id}/lab-message`).then(n=>u(n.words),()=>{}),1e3);return()=>clearTimeout(e)},[o]),o?s`
<${d}
what="code"
key="code"
input=${{inputmode:"numeric",pattern:"[0-9]{6}",maxlength:6,autocomplete:"one-time-code"}}
send=${async e=>{await c(`${p}/${o.proof_id}/confirm`,{code:e});const n={...o,confirmed:!0};await r.put("kv",n,"proving"),t(n)}}
><${x} icon="phone" live>${i("prove.sent",{identifier:o.identifier,until:k(Date.parse(o.expires_at))})}<//>${m&&s`<p class="small soft" role="status">${i("prove.lab",{words:m})}</p>`}<//><button class="btn plain wide" onClick=${()=>l(null)}>${i("prove.other")}</button>
`:s`<${d}
what="identifier"
key="identifier"
label=${i("field.identifier")}
hint=${A()}
button=${i("prove.button")}
input=${{autocomplete:"username",autocapitalize:"none",maxlength:254,defaultValue:a}}
send=${async e=>l({identifier:e,...await c(p,{identifier:e})})}
/>`}export{H as Prove,T as forgetProof};
