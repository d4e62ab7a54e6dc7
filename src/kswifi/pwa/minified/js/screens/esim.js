/*c540b194ef5f598d49905bf764ee23d200fa29a311ac148331c26cef42f87298*/
import{read as q}from"../api.js";import{carried as B}from"../carry.js";import*as x from"../db.js";import{formatOctets as y,lastDay as D,sizeName as H}from"../format.js";import{t as n}from"../i18n.js";import{unwant as R,want as U}from"../outbox.js";import{useEffect as z,useState as O}from"../state.js";import{actions as C,asked as A,environment as F,isEnded as S,phone as G,reachable as J,sessions as j}from"../store.js";import{Chip as E,Heading as K,html as i,Icon as b,Note as L,Size as M,Switch as P}from"../ui.js";const I=s=>n("size.session",{size:H(s.allowance_octets)}),N=s=>C.value.filter(o=>o.kind==="arrange"&&o.path===s);async function T(s,o,c){for(const e of N(s))o in e.body&&await R(e.key);await U({kind:"arrange",path:s,body:{[o]:c}})}function Q({one:s,card:o,move:c,at:e,last:m,intent:g}){const d=o?.records.find(r=>r.session_id===s.session_id),p=G.value?.profiles.some(r=>r.iccid===s.iccid&&!r.enabled),v=o?.active_session_id===s.session_id,_=(r,$)=>{const f=$.currentTarget;c(r),setTimeout(()=>f.focus())},l=(r,$,f)=>i`<button
class="iconbtn"
aria-label=${n(`esim.${r}`,{what:`${I(s)}, ${e+1}`})}
aria-disabled=${f}
style=${`transform:rotate(${90*$}deg);opacity:${f?.4:1}`}
onClick=${k=>f||_($,k)}
><${b} name="chevron" /></button>`,h=s.left_octets===null?n("meter.used",{size:y(s.used_octets)}):n("of",{size:y(s.allowance_octets??0)});return i`<li class="pass"><div class="row between"><a class="grow" style="color:inherit;text-decoration:none" href=${`#/session/${s.session_id}`}><${M} octets=${s.left_octets??s.allowance_octets} /><p class="small soft">${h} · ${n("until",{day:D(s.valid_until)})}</p></a>${d&&!(e===0&&m)?i`${l("up",-1,e===0)}${l("down",1,m)}`:i`<${E} />`}</div><p class="small"><span class=${`badge ${v?"":"line"}`}>${n(`state.${s.state}`).toUpperCase()}</span>${d&&i` ${n("esim.place",{n:e+1,record:d.record_number})}`}
${g&&i` <span class="badge grey">${n("intent.badge")}</span>`}</p>${d&&!d.proved&&i`<p class="small soft">${n(d.failure?"problem.card_refused":p?"esim.off":"esim.waits")}</p>`}</li>`}function V({id:s,live:o}){const c=`/api/v1/esims/${s}/sessions`,[e,m]=O(null),[g,d]=O(""),p=Object.assign({},...N(c).map(t=>t.body)),v=t=>t.filter(a=>e?.order.includes(a)),_=v(p.order??e?.wants_order??[]),l=_.concat(v(e?.order??[]).filter(t=>!_.includes(t))),h=p.continue_with_next??e?.wants_next??!1,r=l.join()!==e?.order.join(),$=!!e&&(r||h!==e?.continue_with_next);z(()=>{x.get("kv",c).then(t=>m(a=>a??t??null))},[]),z(()=>{let t=!1;const a=async()=>{const w=await q(c);t||(m(w),await x.put("kv",w,c))};a().catch(()=>{});const u=setInterval(()=>$&&J.peek()&&a().catch(()=>{}),2e3);return()=>{t=!0,clearInterval(u)}},[A.value,C.value.length,$,B.value]);const f=[...o].sort((t,a)=>(l.indexOf(t.session_id)+9)%9-(l.indexOf(a.session_id)+9)%9);function k(t,a){const u=l.indexOf(t.session_id),w=l.toSpliced(u,1).toSpliced(u+a,0,t.session_id);return d(`${I(t)}: ${u+a+1}`),T(c,"order",w)}return i`
<ol class="stack">${f.map(t=>{const a=l.indexOf(t.session_id);return i`<${Q}
one=${t}
card=${e}
at=${a}
last=${a===l.length-1}
intent=${r&&e?.order.indexOf(t.session_id)!==a}
move=${u=>k(t,u)}
key=${t.session_id}
/>`})}</ol><p class="vh" role="status">${g}</p>${l.length>0&&i`<div class="list"><${P}
label=${n("esim.next")}
hint=${n("esim.next_hint")}
on=${h}
change=${t=>T(c,"continue_with_next",t)}
/></div>`}
${$&&i`<${L} icon="clock" live><b>${n("intent.title")}</b> ${n("intent.lead")}<//>`}
`}function W(){const s=j.value.filter(e=>!S(e)),o=j.value.filter(S),c=[...new Set(s.map(e=>e.esim_id))];return i`
<${K} title=${n("esim.title")} lead=${n("esim.lead")} />${c.map(e=>i`<${V} id=${e} live=${s.filter(m=>m.esim_id===e)} key=${e} />`)}
${!s.length&&i`<div class="card centre"><${E} /><p>${n("esim.empty")}</p></div>`}
${F.value?.lab_origin&&i`<a class="btn quiet wide" href="/lab"><${b} name="phone" />${n("esim.lab")}</a>`}
${o.length>0&&i`<section class="stack"><h2>${n("esim.ended")}</h2><div class="list">${o.map(e=>i`<a class="item" key=${e.session_id} href=${`#/session/${e.session_id}`}><span class="grow"><b>${e.allowance_octets===null?n("size.unlimited"):y(e.allowance_octets)}</b><span class="small soft">${n(`state.${e.state}`)}</span></span><${b} name="chevron" /></a>`)}</div></section>`}
${!s.length&&i`<div class="act stick"><a class="btn wide" href="#/choose"><${b} name="down" />${n("home.download")}</a></div>`}
`}export{W as default};
